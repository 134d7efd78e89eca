/** What cases assert with: parts of objects, and refusals in full. */
import assert from "node:assert/strict";
import type { Answer, Json } from "./api.ts";

/** In an expectation: there must be a value. */
export const PRESENT = Symbol("present");
/** In an expectation: the field must be missing. */
export const ABSENT = Symbol("absent");

/**
 * Asserts that a value is as expected: objects may have more fields, lists may not have more items; a pattern stands for a text, a
 * function for a test of its own.
 */
export function expectPart(actual: unknown, expected: unknown, where = "the answer"): void {
  if (expected === PRESENT) {
    assert.ok(actual !== undefined && actual !== null && actual !== "", `${where} is missing`);
  } else if (expected === ABSENT) {
    assert.equal(actual, undefined, `${where} is ${print(actual)}, not missing`);
  } else if (expected instanceof RegExp) {
    assert.ok(
      typeof actual === "string" && expected.test(actual),
      `${where} is ${print(actual)}, not like ${expected}`,
    );
  } else if (typeof expected === "function") {
    assert.ok(expected(actual), `${where} is ${print(actual)}, which fails ${expected}`);
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${where} is ${print(actual)}, not a list`);
    assert.equal(actual.length, expected.length, `${where} has ${print(actual)}, not ${print(expected)}`);
    expected.forEach((item, i) => expectPart(actual[i], item, `${where}[${i}]`));
  } else if (typeof expected === "object" && expected !== null) {
    assert.ok(
      typeof actual === "object" && actual !== null,
      `${where} is ${print(actual)}, not ${print(expected)}`,
    );
    for (const [key, value] of Object.entries(expected)) {
      expectPart((actual as Json)[key], value, `${where}.${key}`);
    }
  } else assert.deepEqual(actual, expected, `${where} is ${print(actual)}, not ${print(expected)}`);
}

function print(value: unknown): string {
  return (JSON.stringify(value, (_key, v) => v instanceof RegExp ? String(v) : v) ?? String(value)).slice(
    0,
    1500,
  );
}

/** Asserts the status code, and a part of the body; returns the body. */
export function expectAnswer(answer: Answer, status: number, part: unknown = {}): Json {
  assert.equal(
    answer.status,
    status,
    `status ${answer.status}, not ${status}: ${answer.text.slice(0, 1500)}`,
  );
  expectPart(answer.body, part);
  return answer.body;
}

/** A refusal: what a Status with status Failure says. */
export interface Refusal {
  reason: string;
  message: string | RegExp;
  /** All of `details`; where it is not given, they are not looked at. */
  details?: unknown;
}

/** Asserts that a request was refused with exactly this Status. */
export function expectRefusal(answer: Answer, code: number, { reason, message, details }: Refusal): void {
  assert.equal(answer.status, code, `status ${answer.status}, not ${code}: ${answer.text.slice(0, 1500)}`);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
  const { kind, apiVersion, metadata, status, ...said } = answer.body;
  assert.deepEqual({ kind, apiVersion, metadata, status }, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
  });
  expectPart(said, { code, reason, message });
  if (details !== undefined) {
    expectPart(said.details, details, "details");
    if (typeof details === "object" && details !== null) {
      assert.deepEqual(Object.keys(said.details).sort(), Object.keys(details).sort(), print(said.details));
    }
  }
}

/** Names of the objects in a list, in its order. */
export function namesOf(list: Json): string[] {
  return list.items.map((item: Json) => item.metadata.name);
}

/**
 * Asserts the refusal of a client's mistake that Kubernetes lets fall through to 500 without a reason; the embedded control plane says
 * BadRequest, with the same message.
 */
export function expectClientFault(
  plane: "embedded" | "kubernetes",
  answer: Answer,
  message: string | RegExp,
): void {
  const [code, reason] = plane === "kubernetes" ? [500, ABSENT] : [400, "BadRequest"];
  assert.equal(answer.status, code, answer.text.slice(0, 1500));
  expectPart(answer.body, { kind: "Status", status: "Failure", code, reason, message });
}
