/**
 * Asks a real API server the requests of `cases.ts` and writes its answers. Run by hand, against one without controllers and scheduler,
 * whose writes would be among the answers:
 *
 *     deno run -A scripts/kubernetes.ts up --directory /tmp/cluster     # then stop the two
 *     deno run -A cloud/embedded/apply/recorded/record.ts /tmp/cluster/admin.kubeconfig
 *
 * @module
 */
import { parse } from "yaml";
import { answerOf } from "./answer.ts";
import { APPLY_CASES } from "./cases.ts";

interface Kubeconfig {
  clusters: Array<{ cluster: Record<string, string> }>;
  users: Array<{ user: Record<string, string> }>;
}

if (import.meta.main) {
  const [path] = Deno.args;
  if (path === undefined) throw new TypeError("Cannot record: name the administrator's kubeconfig");
  const config: Kubeconfig = parse(await Deno.readTextFile(path));
  const { cluster } = config.clusters[0]!;
  const { user } = config.users[0]!;
  const pem = (name: string, from: Record<string, string>) =>
    from[`${name}-data`] === undefined ? Deno.readTextFileSync(from[name]!) : atob(from[`${name}-data`]!);
  using client = Deno.createHttpClient({
    caCerts: [pem("certificate-authority", cluster)],
    cert: pem("client-certificate", user),
    key: pem("client-key", user),
  });
  const ask = async (method: string, at: string, contentType: string, body: unknown) => {
    const response = await fetch(cluster.server + at, {
      client,
      method,
      headers: { "content-type": contentType, "user-agent": "asker/1.0 (test)" },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : {} };
  };
  const namespace = `apply-${crypto.randomUUID().slice(0, 8)}`;
  await ask("POST", "/api/v1/namespaces", "application/json", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace },
  });
  await ask("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, "application/json", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default" },
  });
  const served = async (at: string) => {
    while ((await ask("GET", at, "application/json", undefined)).status !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const lines: string[] = [];
  for (const { name, method, path, contentType, body } of APPLY_CASES) {
    const own = (value: string) => value.replaceAll("$NS", namespace);
    const sent = body === undefined ? undefined : JSON.parse(own(JSON.stringify(body)));
    const answer = await ask(method, own(path), contentType, sent);
    if (path.endsWith("/customresourcedefinitions")) {
      await served(`/apis/${namespace}.example.com/v2/widgets`);
    }
    const request = { method, path, contentType, body };
    lines.push(JSON.stringify({ name, request, answer: answerOf(answer.status, answer.body, namespace) }));
  }
  const target = new URL("../../../../tests/testdata/kubernetes/v1.33.13/apply.jsonl", import.meta.url);
  await Deno.mkdir(new URL(".", target), { recursive: true });
  await Deno.writeTextFile(target, `${lines.join("\n")}\n`);
  await ask("DELETE", `/api/v1/namespaces/${namespace}`, "application/json", undefined);
}
