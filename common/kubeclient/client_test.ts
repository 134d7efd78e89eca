import assert from "node:assert/strict";
import { errorText, findStatusError, StatusError, type StatusReason } from "../errors/mod.ts";
import { FakeClock } from "../module/fake_clock.ts";
import { createLogger } from "../module/mod.ts";
import { createKubeClient, type KubeClientOptions } from "./client.ts";
import type { KubeClientConfig } from "./connection.ts";
import type { Credential } from "./credentials.ts";
import { CONFIG_MAPS, DEPLOYMENTS, PODS } from "./resources.ts";
import type { KubeClient } from "./types.ts";

interface Seen {
  method: string;
  url: URL;
  headers: Headers;
  body: string;
}

type Handler = (seen: Seen, count: number) => Response | Promise<Response>;

/** Runs `body` with a client of a server on a free port. */
async function withServer(
  handler: Handler,
  body: (client: KubeClient, seen: Seen[]) => Promise<void>,
  config: Partial<KubeClientConfig> = {},
  options: KubeClientOptions = {},
): Promise<void> {
  const seen: Seen[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { method, headers, url } = request;
    seen.push({ method, headers, url: new URL(url), body: await request.text() });
    return await handler(seen.at(-1)!, seen.length);
  });
  const client = createKubeClient({ server: `http://127.0.0.1:${server.addr.port}`, ...config }, options);
  try {
    await body(client, seen);
  } finally {
    await client[Symbol.asyncDispose]();
    await server.shutdown();
  }
}

const reason = (expected: StatusReason) => (error: unknown) => {
  assert.ok(error instanceof StatusError, errorText(error));
  assert.equal(error.reason, expected, error.message);
  return true;
};
const podAnswer = (name: string) => ({ metadata: { name, namespace: "default", resourceVersion: "7" } });
const pod = { name: "web", namespace: "default" };
const never = new AbortController().signal;

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

Deno.test("a request that the server took for anybody's is one whose credential it does not know", () =>
  withServer(
    () =>
      Response.json({
        kind: "Status",
        code: 403,
        reason: "Forbidden",
        message: 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group ""',
      }, { status: 403 }),
    async (client) => {
      await assert.rejects(client.list(PODS), reason("Unauthorized"));
    },
    { username: "ann", password: "x" },
  ));

Deno.test("the time that a credential takes is not taken for the server's", async () => {
  const clock = new FakeClock();
  const given = Promise.withResolvers<Credential>();
  await withServer(
    () => Response.json(podAnswer("web")),
    async (client, seen) => {
      const asked = client.get(PODS, pod);
      await clock.advance(60_000);
      assert.equal(seen.length, 0);
      given.resolve({ token: "late" });
      assert.equal((await asked).metadata?.name, "web");
      assert.equal(seen[0]!.headers.get("Authorization"), "Bearer late");
    },
    {},
    { clock, credentials: { current: () => given.promise } },
  );
});

Deno.test("createKubeClient() requests what the verbs mean", async (t) => {
  const object = { metadata: { name: "web", namespace: "default" } };
  const rows: Array<[string, (c: KubeClient) => Promise<unknown>, string, string]> = [
    ["get", (c) => c.get(PODS, pod), "GET /api/v1/namespaces/default/pods/web", ""],
    [
      "create",
      (c) => c.create(DEPLOYMENTS, object, { fieldManager: "m" }),
      "POST /apis/apps/v1/namespaces/default/deployments?fieldManager=m",
      "application/json",
    ],
    [
      "update",
      (c) => c.update(PODS, object, { subresource: "status" }),
      "PUT /api/v1/namespaces/default/pods/web/status",
      "application/json",
    ],
    [
      "json patch",
      (c) => c.patch(PODS, pod, { type: "json", body: [] }),
      "PATCH /api/v1/namespaces/default/pods/web",
      "application/json-patch+json",
    ],
    [
      "apply",
      (c) => c.patch(PODS, pod, { type: "apply", body: "{}" }, { fieldManager: "m", force: true }),
      "PATCH /api/v1/namespaces/default/pods/web?fieldManager=m&force=true",
      "application/apply-patch+yaml",
    ],
    [
      "delete",
      (c) => c.delete(PODS, pod, { gracePeriodSeconds: 0 }),
      "DELETE /api/v1/namespaces/default/pods/web",
      "application/json",
    ],
    [
      "binding",
      (c) => c.createSubresource(PODS, pod, "binding", object),
      "POST /api/v1/namespaces/default/pods/web/binding",
      "application/json",
    ],
  ];
  for (const [name, act, line, type] of rows) {
    await t.step(name, () =>
      withServer(() => Response.json(podAnswer("web")), async (client, seen) => {
        await act(client);
        const { method, url, headers, body } = seen[0]!;
        assert.equal(`${method} ${url.pathname}${url.search}`, line);
        assert.equal(headers.get("content-type") ?? "", type);
        if (name === "create") assert.equal(JSON.parse(body).apiVersion, "apps/v1");
        if (name === "delete") assert.equal(JSON.parse(body).gracePeriodSeconds, 0);
      }));
  }
});

Deno.test("list() reads all pages and gives its objects their type", () =>
  withServer((seen) => {
    const from = seen.url.searchParams.get("continue");
    return Response.json({
      metadata: from === null ? { continue: "next", resourceVersion: "5" } : { resourceVersion: "5" },
      items: [podAnswer(from === null ? "a" : "b")],
    });
  }, async (client, seen) => {
    const { items, metadata } = await client.list(PODS, { namespace: "default", labelSelector: "a in (b)" });
    assert.deepEqual(items.map((p) => [p.metadata?.name, p.kind, p.apiVersion]), [["a", "Pod", "v1"], [
      "b",
      "Pod",
      "v1",
    ]]);
    assert.equal(metadata.resourceVersion, "5");
    assert.equal(seen[0]!.url.searchParams.get("limit"), "200");
    assert.equal(seen[1]!.url.searchParams.get("labelSelector"), "a in (b)");
  }));

Deno.test("a refused request rejects with the Status of the server", () =>
  withServer(
    () =>
      Response.json({
        kind: "Status",
        reason: "AlreadyExists",
        code: 409,
        message: 'pods "web" already exists',
      }, {
        status: 409,
      }),
    async (client) => {
      await assert.rejects(client.get(PODS, pod), (error) => {
        reason("AlreadyExists")(error);
        assert.match(errorText(error), /already exists/);
        return true;
      });
    },
  ));

Deno.test("a refusal that is no Status keeps its code and text", () =>
  withServer(() => new Response("page not found", { status: 404 }), async (client) => {
    await assert.rejects(client.get(PODS, pod), { reason: "NotFound", message: "page not found" });
  }));

Deno.test("an unreachable server is ServiceUnavailable, with its name and the cause", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await using client = createKubeClient({ server: `http://127.0.0.1:${port}` });
  await assert.rejects(client.get(PODS, pod), (error) => {
    reason("ServiceUnavailable")(error);
    assert.match((error as Error).message, new RegExp(`127.0.0.1:${port}`));
    assert.ok((error as Error).cause instanceof Error);
    return true;
  });
});

Deno.test("a server that does not answer in time is Timeout", async () => {
  const held = Promise.withResolvers<Response>();
  await withServer(() => held.promise, async (client) => {
    await assert.rejects(client.get(PODS, pod), reason("Timeout"));
    held.resolve(new Response());
  }, { timeoutMs: 50 });
});

Deno.test("an aborted request rejects with the reason of its signal", async () => {
  const held = Promise.withResolvers<Response>();
  const stop = new AbortController();
  await withServer(() => {
    stop.abort(new Error("enough"));
    return held.promise;
  }, async (client) => {
    await assert.rejects(client.get(PODS, pod, { signal: stop.signal }), { message: "enough" });
    held.resolve(new Response());
  });
});

Deno.test("429 is retried after the time the server asks for", async () => {
  const clock = new FakeClock();
  await withServer(
    (_, count) =>
      count === 1
        ? Response.json({ reason: "TooManyRequests", code: 429 }, {
          status: 429,
          headers: { "Retry-After": "3" },
        })
        : Response.json(podAnswer("web")),
    async (client, seen) => {
      const answer = client.get(PODS, pod);
      while (seen.length < 1 || clock.sleeping !== 1) await new Promise((r) => setTimeout(r, 1));
      // The one sleeper is now the request's own time limit or the pause; both must let 2.9 s pass without a request.
      await clock.advance(2900);
      assert.equal(seen.length, 1);
      while (seen.length < 2) {
        await clock.advance(200);
        await new Promise((r) => setTimeout(r, 1));
      }
      assert.equal((await answer).metadata?.name, "web");
    },
    {},
    { clock },
  );
});

Deno.test("an answer over the limit, no JSON, or no object is an error and not an object", async (t) => {
  const rows: Array<[string, string, StatusReason]> = [
    ["too large", JSON.stringify({ ...podAnswer("web"), x: "y".repeat(3000) }), "RequestEntityTooLarge"],
    ["not JSON", "<html>", "InternalError"],
    ["null", "null", "InternalError"],
    ["an array", "[]", "InternalError"],
    ["no metadata", "{}", "InternalError"],
    ["no name", '{"metadata":{}}', "InternalError"],
  ];
  for (const [name, body, expected] of rows) {
    await t.step(name, () =>
      withServer(() => new Response(body), async (client) => {
        await assert.rejects(client.get(PODS, pod), reason(expected));
      }, { limitBytes: 2000 }));
  }
});

Deno.test("hostile names do not leave the resource's path", () =>
  withServer(() => Response.json(podAnswer("web")), async (client, seen) => {
    for (const name of ["", ".", "..", "../secrets/x", "a/b", "a%2fb", "a\\b"]) {
      await assert.rejects(client.get(PODS, { name, namespace: "default" }), reason("BadRequest"));
      await assert.rejects(client.get(PODS, { name: "web", namespace: name }), reason("BadRequest"));
    }
    assert.equal(seen.length, 0);
  }));

Deno.test("watch() gives events as they come and ends with the server", async () => {
  const event = (type: string, object: unknown) =>
    new TextEncoder().encode(JSON.stringify({ type, object }) + "\n");
  await withServer(() => {
    const whole = event("MODIFIED", podAnswer("b"));
    return new Response(ReadableStream.from([
      event("ADDED", podAnswer("a")),
      whole.subarray(0, 9),
      whole.subarray(9),
      event("BOOKMARK", { metadata: { resourceVersion: "12" } }),
      event("DELETED", podAnswer("a")),
    ]));
  }, async (client, seen) => {
    const events = await collect(
      client.watch(PODS, { namespace: "default", resourceVersion: "3", signal: never }),
    );
    assert.deepEqual(
      events.map((e) => `${e.type} ${e.object.metadata?.name ?? e.object.metadata?.resourceVersion}`),
      [
        "ADDED a",
        "MODIFIED b",
        "BOOKMARK 12",
        "DELETED a",
      ],
    );
    const query = Object.fromEntries(seen[0]!.url.searchParams);
    const { timeoutSeconds, ...rest } = query;
    assert.deepEqual(rest, { watch: "true", resourceVersion: "3", allowWatchBookmarks: "true" });
    assert.ok(Number(timeoutSeconds) >= 300 && Number(timeoutSeconds) < 600);
  });
});

Deno.test("watch() rejects with what the server or its bytes say", async (t) => {
  const gone = { kind: "Status", code: 410, reason: "Gone", message: "too old" };
  const line = (value: unknown) => new Response(JSON.stringify(value) + "\n");
  const rows: Array<[string, () => Response, StatusReason]> = [
    [
      "an ERROR event",
      () => line({ type: "ERROR", object: { code: 500, reason: "InternalError" } }),
      "InternalError",
    ],
    ["an ERROR event with 410", () => line({ type: "ERROR", object: gone }), "Expired"],
    ["an answer with 410", () => Response.json(gone, { status: 410 }), "Expired"],
    ["a line over the limit", () => new Response("x".repeat(3000)), "RequestEntityTooLarge"],
    ["a line that is not JSON", () => new Response("{\n"), "InternalError"],
    ["an unknown type", () => line({ type: "DANCED", object: podAnswer("a") }), "InternalError"],
    ["an event without object", () => line({ type: "ADDED" }), "InternalError"],
  ];
  for (const [name, answer, expected] of rows) {
    await t.step(name, () =>
      withServer(answer, async (client) => {
        await assert.rejects(
          collect(client.watch(PODS, { resourceVersion: "1", signal: never })),
          (error) => findStatusError(error)?.reason === expected,
        );
      }, { eventLimitBytes: 2000 }));
  }
});

/** An answer that stays open until it is cancelled. */
function openAnswer(first = ""): { response: Response; cancelled: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(first + "\n")),
    cancel: () => resolve(),
  });
  return { response: new Response(body), cancelled: promise };
}

Deno.test("watch() gives up a silent connection with Timeout", async () => {
  const { response, cancelled } = openAnswer();
  await withServer(() => response, async (client) => {
    await assert.rejects(
      collect(client.watch(PODS, { resourceVersion: "1", signal: never })),
      reason("Timeout"),
    );
    await cancelled;
  }, { watchSilenceMs: 50 });
});

Deno.test("watch() ends its connection when aborted, when left and when the client is closed", async (t) => {
  const added = JSON.stringify({ type: "ADDED", object: podAnswer("a") });
  await t.step("aborted", async () => {
    const { response, cancelled } = openAnswer(added);
    const stop = new AbortController();
    await withServer(() => response, async (client) => {
      await assert.rejects(async () => {
        for await (const _ of client.watch(PODS, { resourceVersion: "1", signal: stop.signal })) {
          stop.abort(new Error("enough"));
        }
      }, { message: "enough" });
      await cancelled;
    });
  });
  await t.step("left", async () => {
    const { response, cancelled } = openAnswer(added);
    await withServer(() => response, async (client) => {
      for await (const _ of client.watch(PODS, { resourceVersion: "1", signal: never })) break;
      await cancelled;
    });
  });
  await t.step("closed", async () => {
    const { response, cancelled } = openAnswer(added);
    await withServer(() => response, async (client) => {
      await assert.rejects(async () => {
        for await (const _ of client.watch(PODS, { resourceVersion: "1", signal: never })) {
          await client[Symbol.asyncDispose]();
        }
      }, reason("ServiceUnavailable"));
      await cancelled;
      await assert.rejects(client.get(PODS, pod), reason("ServiceUnavailable"));
    });
  });
});

Deno.test("a token file is read again after a 401", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const tokenFile = `${dir}/token`;
    await Deno.writeTextFile(tokenFile, "old\n");
    await withServer(
      (seen) =>
        seen.headers.get("authorization") === "Bearer new"
          ? Response.json(podAnswer("web"))
          : Response.json({ reason: "Unauthorized", code: 401 }, { status: 401 }),
      async (client, seen) => {
        await assert.rejects(client.get(PODS, pod), reason("Unauthorized"));
        await Deno.writeTextFile(tokenFile, "new\n");
        await client.get(PODS, pod);
        assert.deepEqual(seen.map((s) => s.headers.get("authorization")), [
          "Bearer old",
          "Bearer old",
          "Bearer new",
        ]);
      },
      { tokenFile },
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a rate limit holds back what is over its burst", async () => {
  const clock = new FakeClock();
  await withServer(
    () => Response.json(podAnswer("web")),
    async (client, seen) => {
      await client.get(CONFIG_MAPS, pod);
      await client.get(CONFIG_MAPS, pod);
      const third = client.get(CONFIG_MAPS, pod);
      await clock.advance(499);
      assert.equal(seen.length, 2);
      await clock.advance(1);
      await third;
      assert.equal(seen.length, 3);
    },
    { rateLimit: { qps: 2, burst: 2 } },
    { clock },
  );
});

Deno.test("createKubeClient() refuses a server that is no address and half a certificate", () => {
  for (const server of ["", "kube", "ftp://x", "https://x/?a=b"]) {
    assert.throws(() => createKubeClient({ server }), TypeError, server);
  }
  assert.throws(() => createKubeClient({ server: "https://x", cert: "c" }), TypeError);
});

Deno.test("createKubeClient() tells what is too large for etcd as too large", async (t) => {
  const rows: Array<[string, StatusReason]> = [
    ["etcdserver: request is too large", "RequestEntityTooLarge"],
    [
      "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2681448 vs. 2097152)",
      "RequestEntityTooLarge",
    ],
    ["etcdserver: no leader", "InternalError"],
  ];
  for (const [message, expected] of rows) {
    await t.step(
      message,
      () =>
        withServer(
          () => Response.json({ kind: "Status", message, code: 500 }, { status: 500 }),
          async (client) => {
            await assert.rejects(client.patch(PODS, pod, { type: "merge", body: {} }), reason(expected));
          },
        ),
    );
  }
});

Deno.test("list() leaves out what is no object with a name, counts it, and tells it once", async () => {
  const lines: string[] = [];
  const items = [null, {}, { metadata: null }, { metadata: { name: 7 } }, "pod", podAnswer("a")];
  await withServer(
    () => Response.json({ metadata: { resourceVersion: "5" }, items }),
    async (client) => {
      for (let i = 0; i < 2; i++) {
        const { items, malformed } = await client.list(PODS);
        assert.deepEqual([items.map(({ metadata }) => metadata?.name), malformed], [["a"], 5]);
      }
    },
    {},
    { log: createLogger("test", { write: (line) => lines.push(line) }) },
  );
  assert.equal(lines.filter((line) => line.includes("no object with a name")).length, 1);
});

Deno.test("list() reads large objects in smaller pages, and gives up on one that is too large alone", async () => {
  const answer = (size: number) => ({ url }: Seen) => {
    const from = Number(url.searchParams.get("continue") ?? 0);
    const to = Math.min(20, from + Number(url.searchParams.get("limit")));
    const items = Array.from({ length: to - from }, (_, i) => ({
      ...podAnswer(`p${from + i}`),
      spec: { junk: "x".repeat(size) },
    }));
    return Response.json({ metadata: to < 20 ? { continue: String(to) } : {}, items });
  };
  await withServer(answer(5_000), async (client, seen) => {
    assert.equal((await client.list(PODS)).items.length, 20);
    assert.ok(seen.length <= 12, `${seen.length} requests`);
  }, { limitBytes: 30_000 });
  await withServer(answer(30_000), async (client, seen) => {
    await assert.rejects(client.list(PODS), reason("RequestEntityTooLarge"));
    assert.ok(seen.length <= 5, `${seen.length} requests`);
  }, { limitBytes: 20_000 });
});
