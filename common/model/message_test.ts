import assert from "node:assert/strict";
import { isNotFound, StatusError } from "../errors/mod.ts";
import {
  errorFromContent,
  errorObjectResponse,
  MESSAGE_TEXT,
  newMessage,
  newResponse,
  parseJson,
  parseMessage,
  printMessage,
  splitNode,
  targetNode,
  unwrapResponse,
} from "./mod.ts";

interface Frame {
  bytes?: number;
  json?: unknown;
}

const SESSION = new URL("../../tests/testdata/upstream/v1.23.1/session.jsonl", import.meta.url);

Deno.test({
  name: "parseMessage() and printMessage() keep every recorded upstream frame, to the byte",
  permissions: { read: [SESSION] },
  fn: () => {
    const frames = Deno.readTextFileSync(SESSION).trim().split("\n").map((line) => JSON.parse(line) as Frame);
    let compared = 0;
    for (const frame of frames) {
      if (frame.json === undefined) continue;
      const printed = printMessage(parseMessage(JSON.stringify(frame.json)));
      assert.deepEqual(JSON.parse(printed), frame.json);
      if (!printed.includes("REDACTED.JWT.TOKEN")) {
        assert.equal(new TextEncoder().encode(printed).length, frame.bytes);
        compared++;
      }
    }
    assert.ok(compared > 160, `only ${compared} frames were compared`);
  },
});

const GOOD = newMessage(
  { source: "edged", group: "meta", operation: "query", resource: "default/pod/web" },
  null,
  {
    msgId: "a",
    timestamp: 1,
  },
);

Deno.test("printMessage() writes upstream's keys, in order, escaped as Go does", () => {
  const message = { ...GOOD, content: { html: "<a href=x&y>\u2028" } };
  assert.equal(
    printMessage(message),
    '{"header":{"msg_id":"a","timestamp":1},"route":{"source":"edged","group":"meta","operation":"query",' +
      '"resource":"default/pod/web"},"content":{"html":"\\u003ca href=x\\u0026y\\u003e\\u2028"}}\n',
  );
});

Deno.test("parseMessage() keeps integers beyond 2^53", () => {
  const text = '{"header":{"msg_id":"a","timestamp":1},"route":{},"content":{"n":9223372036854775807}}';
  assert.ok(printMessage(parseMessage(text)).includes("9223372036854775807"));
});

Deno.test("parseMessage() refuses what is not a message", async (t) => {
  const rows: Array<[string, string]> = [
    ["nothing", ""],
    ["text", "hello"],
    ["null", "null"],
    ["an array", "[]"],
    ["a number", "0"],
    ["two values", "{} {}"],
    ["a header that is a string", '{"header":"x"}'],
    ["a route that is an array", '{"route":[]}'],
    ["an id that is a number", '{"header":{"msg_id":7}}'],
    ["a timestamp that is text", '{"header":{"timestamp":"now"}}'],
    ["deep nesting", '{"content":' + "[".repeat(100_000) + "]".repeat(100_000) + "}"],
    ["a long id", `{"header":{"msg_id":"${"x".repeat(9000)}"}}`],
  ];
  for (const [name, text] of rows) {
    await t.step(
      name,
      () => assert.throws(() => parseMessage(text), { name: "StatusError", reason: "BadRequest" }),
    );
  }
  await t.step("a text over the limit", () => {
    assert.throws(() => parseMessage(`{"content":"${"x".repeat(99)}"}`, { maxChars: 100 }), {
      reason: "RequestEntityTooLarge",
    });
  });
  await t.step("more values than the limit, wherever they stand", () => {
    const limits = { maxValues: 10 };
    parseMessage('{"content":[1,[],{"a":2,"b":"[{,"},"x,y,z"]}', limits);
    for (const content of ["[1,2,3,4,5,6,7,8,9,0]", '[[],[],[],[],{"a":1}]']) {
      assert.throws(() => parseMessage(`{"content":${content}}`, limits), {
        reason: "RequestEntityTooLarge",
        message: "Cannot read the message: it has more than 10 values",
      });
    }
    assert.throws(() => parseMessage(`{"content":[${"[],".repeat(1_000_000)}0]}`), {
      reason: "RequestEntityTooLarge",
    });
  });
});

Deno.test("MESSAGE_TEXT has no bounds", () => {
  const content = Array(1_000_001).fill(0);
  assert.deepEqual(MESSAGE_TEXT.decode(MESSAGE_TEXT.encode({ ...GOOD, content })), { ...GOOD, content });
});

Deno.test("parseMessage() accepts a message cut to nothing at every byte or refuses it, but never crashes", () => {
  const text = printMessage(GOOD);
  for (let i = 0; i < text.length - 2; i++) {
    assert.throws(() => parseMessage(text.slice(0, i)), StatusError);
  }
});

Deno.test("newResponse() answers its request", () => {
  const response = newResponse(GOOD, "OK", { msgId: "b", timestamp: 2 });
  assert.deepEqual(response.header, { msgId: "b", timestamp: 2, parentMsgId: "a" });
  assert.deepEqual(response.route, {
    source: "edged",
    group: "meta",
    operation: "response",
    resource: "default/pod/web",
  });
});

Deno.test("splitNode() cuts the node only when something follows", () => {
  assert.deepEqual(splitNode("node/n1/default/pod/web"), { node: "n1", rest: "default/pod/web" });
  assert.deepEqual(splitNode("node/n1/membership"), { node: "n1", rest: "membership" });
  assert.deepEqual(splitNode("node/n1"), { node: undefined, rest: "node/n1" });
  assert.deepEqual(splitNode("node//x"), { node: undefined, rest: "node//x" });
  assert.deepEqual(splitNode("default/pod/web"), { node: undefined, rest: "default/pod/web" });
  assert.equal(targetNode("operations.kubeedge.io/v1alpha2/nodeupgradejob/j/node/n7"), "n7");
  assert.equal(targetNode("default/pod/web"), undefined);
});

Deno.test("errorFromContent() knows an absence by the API server's text", () => {
  for (
    const text of ['configmaps "web" not found', 'objectsyncs.reliablesyncs.kubeedge.io "e.1" not found']
  ) {
    const error = errorFromContent(text);
    assert.deepEqual([error.reason, error.message], ["NotFound", text]);
  }
  for (
    const text of ["not found", "web not found", 'cannot reach "web" not found', "", 'pods "a" not found yet']
  ) {
    assert.deepEqual([errorFromContent(text).reason, errorFromContent(text).message], [
      "InternalError",
      text,
    ]);
  }
});

Deno.test("unwrapResponse() returns the object or throws what the wrapper says", () => {
  assert.deepEqual(unwrapResponse({ Object: { a: 1 }, Err: null }), { a: 1 });
  assert.deepEqual(unwrapResponse({ a: 1 }), { a: 1 });
  assert.throws(() => unwrapResponse(errorObjectResponse(new StatusError("NotFound", "no"))), isNotFound);
  assert.throws(() => unwrapResponse({ ErrStatus: { reason: "NotFound", code: 404 } }), isNotFound);
});

Deno.test("MESSAGE_TEXT carries whatever a message from outside has become", () => {
  const numbers = `[${"1e20,".repeat(1000)}12345678901234567890]`;
  const outside = parseMessage(
    `{"header":{"msg_id":"i","timestamp":1},"route":{"resource":"${"r".repeat(8192)}"},"content":${numbers}}`,
  );
  const inside = {
    ...outside,
    route: { ...outside.route, resource: `node/edge-1/${outside.route.resource}` },
  };
  const crossed = MESSAGE_TEXT.decode(MESSAGE_TEXT.encode(inside));
  assert.equal(crossed.route.resource.length, 8192 + 12);
  assert.equal(printMessage(crossed), printMessage(inside));
  assert.match(printMessage(crossed), /12345678901234567890\]/);
});

Deno.test("parseJson() keeps every digit of integers, and takes nothing for one that is none", async (t) => {
  const kept = [
    "12345678901234567890",
    "-9007199254740993",
    "[1234567890123456789,-1234567890123456789,1]",
    '{"__proto__":12345678901234567890,"a":{"b":[12345678901234567890]}}',
    '"12345678901234567890"',
    '{"12345678901234567890":"a \\" 12345678901234567890"}',
  ];
  for (const text of kept) {
    await t.step(text, () => assert.equal(JSON.stringify(parseJson(text)), text));
  }
  for (
    const text of [
      "1.2345678901234567890",
      "1e1234567890123456",
      "12345678901234567890.5",
      "12345678901234567890e1",
      "9007199254740991",
    ]
  ) {
    await t.step(text, () => assert.equal(parseJson(text), JSON.parse(text)));
  }
  for (
    const text of [
      "{12345678901234567890:1}",
      "00000000000000001",
      "1-12345678901234567890",
      "12345678901234567890 1",
      "--12345678901234567890",
    ]
  ) {
    await t.step(`not ${text}`, () => assert.throws(() => parseJson(text), /it is not JSON/));
  }
});

Deno.test("parseJson() takes one long integer among many values about as fast as none", () => {
  const many = `[${Array(200_000).fill('{"a":1}').join(",")}`;
  const time = (text: string) => {
    const start = performance.now();
    parseJson(text);
    return performance.now() - start;
  };
  const plain = Math.min(...[1, 2, 3].map(() => time(`${many}]`)));
  const long = Math.min(...[1, 2, 3].map(() => time(`${many},12345678901234567890]`)));
  assert.ok(long < 8 * plain + 50, `${long} ms instead of ${plain} ms`);
});
