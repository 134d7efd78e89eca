import assert from "node:assert/strict";
import fc from "fast-check";
import { nextTime } from "./next.ts";
import { parseSchedule } from "./schedule.ts";
import { type WallClock, zoneClock } from "./time_zone.ts";

const UTC: WallClock = { offsetMs: () => 0 };
const next = (schedule: string, after: string, clock = UTC) => {
  const at = nextTime(parseSchedule(schedule), Date.parse(after), clock);
  return at === undefined ? undefined : new Date(at).toISOString().replace(":00.000Z", "Z");
};

Deno.test("nextTime() finds the next moment of a schedule", async (t) => {
  const rows: Array<[schedule: string, after: string, expected: string | undefined]> = [
    ["* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01Z"],
    ["* * * * *", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01Z"],
    ["*/15 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:00Z"],
    ["5/20 * * * *", "2026-01-01T00:06:00Z", "2026-01-01T00:25Z"],
    ["30 4 1,15 * *", "2026-01-01T05:00:00Z", "2026-01-15T04:30Z"],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00Z"],
    ["0 0 31 4 *", "2026-01-01T00:00:00Z", undefined],
    ["0 9 * * mon-fri", "2026-01-02T09:00:00Z", "2026-01-05T09:00Z"],
    // Both days given: either will do.
    ["0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00Z"],
    ["0 0 ? jan *", "2026-01-31T00:00:00Z", "2027-01-01T00:00Z"],
    ["@hourly", "2026-12-31T23:59:00Z", "2027-01-01T00:00Z"],
    ["@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00Z"],
    ["@every 90m", "2026-01-01T00:00:00Z", "2026-01-01T01:30Z"],
  ];
  for (const [schedule, after, expected] of rows) {
    await t.step(`${schedule} after ${after}`, () => assert.equal(next(schedule, after), expected));
  }
});

Deno.test("nextTime() goes by the clock of the zone, over its changes", async (t) => {
  const berlin = zoneClock("Europe/Berlin");
  const rows: Array<[name: string, schedule: string, after: string, expected: string]> = [
    ["winter", "0 9 * * *", "2026-01-01T09:00:00Z", "2026-01-02T08:00Z"],
    ["summer", "0 9 * * *", "2026-07-01T08:00:00Z", "2026-07-02T07:00Z"],
    ["a time that is skipped", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30Z"],
    ["a time that comes twice", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30Z"],
    ["its second coming", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30Z"],
    ["every hour of that night", "0 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T01:00Z"],
  ];
  for (const [name, schedule, after, expected] of rows) {
    await t.step(name, () => assert.equal(next(schedule, after, berlin), expected));
  }
  assert.throws(() => zoneClock("Foo/Bar"), /unknown time zone Foo\/Bar/);
  assert.throws(() => zoneClock("+01:00"), RangeError);
});

Deno.test("parseSchedule() refuses in the words of upstream", async (t) => {
  const rows: Array<[string, string]> = [
    ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
    ["a b c d e", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ["@every 1x", 'failed to parse duration @every 1x: time: unknown unit "x" in duration "1x"'],
    ["@foo", "unrecognized descriptor: @foo"],
    ["60 * * * *", "end of range (60) above maximum (59): 60"],
    ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
    ["* * * * 7", "end of range (7) above maximum (6): 7"],
    ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
    ["*/0 * * * *", "step of range should be a positive number: */0"],
    ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
    ["1/2/3 * * * *", "too many slashes: 1/2/3"],
    ["-1 * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'],
  ];
  for (const [text, message] of rows) {
    await t.step(text, () => assert.throws(() => parseSchedule(text), { name: "SyntaxError", message }));
  }
});

Deno.test("parseSchedule() and nextTime() throw nothing but SyntaxError, and only look forward", () => {
  const part = fc.stringMatching(/^[-*?/,0-9a-z]{1,6}$/);
  fc.assert(fc.property(fc.array(part, { minLength: 4, maxLength: 6 }), fc.nat(2e9), (parts, seconds) => {
    try {
      const at = nextTime(parseSchedule(parts.join(" ")), seconds * 1000, UTC);
      assert.ok(at === undefined || at > seconds * 1000);
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  }));
});
