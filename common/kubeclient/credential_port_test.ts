import assert from "node:assert/strict";
import { StatusError } from "../errors/mod.ts";
import { FakeClock } from "../module/fake_clock.ts";
import { Mailbox } from "../module/mod.ts";
import {
  type CredentialAnswer,
  type CredentialQuestion,
  credentialServer,
  remoteCredentials,
} from "./credential_port.ts";
import type { Credential } from "./credentials.ts";

function join(source: (refused?: Credential) => Promise<Credential>, peers = 1) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const ends = Array.from({ length: peers }, () => {
    const questions = new Mailbox<CredentialQuestion>("questions", 8);
    const answers = new Mailbox<CredentialAnswer>("answers", 8);
    return { questions, answers, remote: remoteCredentials(questions.send, answers, clock) };
  });
  const server = credentialServer(
    { current: (_signal, refused) => source(refused) },
    ends.map(({ questions, answers }) => ({
      inbox: questions,
      // A port copies what it carries.
      send: (answer: CredentialAnswer) => answers.send(structuredClone(answer)),
    })),
  );
  const ended = server.run(stop.signal);
  return {
    clock,
    remotes: ends.map(({ remote }) => remote),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      for (const { answers } of ends) answers.close();
      await ended;
    },
  };
}

const { signal } = new AbortController();

Deno.test("remoteCredentials() give what the server gives, and the same object while it stays", async () => {
  let asked = 0;
  const token = { token: "one" };
  await using parts = join(() => {
    asked++;
    return Promise.resolve(token);
  });
  const [remote] = parts.remotes;
  const first = await remote!.current(signal);
  assert.deepEqual(first, token);
  for (let i = 0; i < 10; i++) assert.equal(await remote!.current(signal), first);
  assert.equal(asked, 1, "it is not asked for each request");
  await parts.clock.advance(1_500);
  assert.equal(await remote!.current(signal), first);
  assert.equal(asked, 2);
});

Deno.test("remoteCredentials() have a refused credential replaced, once for all who hold it", async () => {
  let current = { token: "one" };
  const refusals: Array<Credential | undefined> = [];
  await using parts = join((refused) => {
    if (refused !== undefined) refusals.push(refused);
    if (refused === current) current = { token: "two" };
    return Promise.resolve(current);
  }, 2);
  const [a, b] = parts.remotes;
  const [first, second] = [await a!.current(signal), await b!.current(signal)];
  assert.deepEqual(await a!.current(signal, first), { token: "two" });
  assert.deepEqual(await b!.current(signal, second), { token: "two" });
  assert.deepEqual(refusals, [{ token: "one" }], "the second is given what took its place");
});

Deno.test("remoteCredentials() reject with what went wrong, and recover", async () => {
  let broken = true;
  await using parts = join(() =>
    broken
      ? Promise.reject(new StatusError("Unauthorized", "Cannot get credentials from x: no session"))
      : Promise.resolve({ token: "t" })
  );
  const [remote] = parts.remotes;
  await assert.rejects(remote!.current(signal), (error) => {
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, 401);
    assert.match(error.message, /no session/);
    return true;
  });
  broken = false;
  assert.deepEqual(await remote!.current(signal), { token: "t" });
  await assert.rejects(
    (async () => {
      await parts.clock.advance(2_000);
      await remote!.current(AbortSignal.abort(new Error("stop")));
    })(),
    /stop/,
  );
});
