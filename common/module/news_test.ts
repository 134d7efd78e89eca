import assert from "node:assert/strict";
import { FakeClock } from "./fake_clock.ts";
import { News } from "./news.ts";

Deno.test("News.isNew() holds back what was said about a topic, until it changes, is over or an hour old", async () => {
  const clock = new FakeClock();
  const news = new News(clock);
  assert.equal(news.isNew("link", "refused"), true);
  assert.equal(news.isNew("link", "refused"), false);
  assert.equal(news.isNew("store", "refused"), true);
  assert.equal(news.isNew("certificate", "expired, it is 2026-01-01T00:00:00.000Z"), true);
  assert.equal(news.isNew("certificate", "expired, it is 2026-01-01T00:00:30.017Z"), false);
  const unix = (now: number, more: string) =>
    `certificate not valid yet: verification time ${now} (UNIX), but certificate is not valid before 1796018653 (${more})`;
  assert.equal(news.isNew("clock", unix(86_400, "1795932253 seconds in future")), true);
  assert.equal(news.isNew("clock", unix(86_403, "1795932250 seconds in future")), false);
  for (let i = 0; i < 5_000; i++) assert.equal(news.isNew(`topic ${i}`, "x"), true);
  assert.equal(news.isNew("topic 4999", "x"), false, "the last ones are remembered");
  assert.equal(news.isNew("link", "reset"), true);
  assert.equal(news.isNew("link", "refused"), true);
  news.forget("link");
  assert.equal(news.isNew("link", "refused"), true);
  await clock.advance(3_599_999);
  assert.equal(news.isNew("link", "refused"), false);
  await clock.advance(1);
  assert.equal(news.isNew("link", "refused"), true);
});
