import { after, hourMs, instantOf, minuteMs, secondMs } from "@remit/kernel";
import { type JsonObject, Problem, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { testClock } from "@remit/testkit";
import { expect, test } from "vitest";
import type { OutboundAnswer } from "./exchange.ts";
import { createJwksCache } from "./jwks.ts";

const url = "https://issuer.test/jwks";
const privateKey = generateJwk("ES256", "k1");
const key = publicJwkOf(privateKey);
const second = publicJwkOf(generateJwk("EdDSA", "k2"));

const answerOf = (document: unknown, over: Partial<OutboundAnswer> = {}): OutboundAnswer => ({
  status: 200,
  headers: {},
  body: new TextEncoder().encode(typeof document === "string" ? document : JSON.stringify(document)),
  ...over,
});

/** A host whose answer the test changes, and a clock that the test moves. */
const host = () => {
  const clock = testClock(instantOf(1_795_300_000_000));
  const state = { answer: answerOf({ keys: [key] }), fetches: 0 };
  const request = () => {
    state.fetches += 1;
    return Promise.resolve(state.answer);
  };
  return { clock, state, keys: createJwksCache({ request, clock })(url) };
};

test("keys are fetched once and serve for 300 s, however long the host wishes", async () => {
  const { clock, state, keys } = host();
  state.answer = answerOf({ keys: [key] }, { headers: { "cache-control": "public, max-age=86400" } });
  for (let i = 0; i < 10; i++) expect(await keys("k1")).toEqual([key]);
  clock.advance(299 * secondMs);
  await keys("k1");
  expect(state.fetches).toBe(1);
  clock.advance(1 * secondMs);
  await keys("k1");
  expect(state.fetches).toBe(2);
});

test("K04 a flood of unknown kids makes at most one fetch in 30 s", async () => {
  const { clock, state, keys } = host();
  await keys("k1");
  clock.advance(30 * secondMs);
  for (let i = 0; i < 100; i++) await keys(`made-up-${i}`);
  await Promise.all(Array.from({ length: 100 }, (_, i) => keys(`more-${i}`)));
  expect(state.fetches).toBe(2);
});

test("a key published since is found once the cooldown has passed", async () => {
  const { clock, state, keys } = host();
  await keys("k1");
  state.answer = answerOf({ keys: [key, second] });
  expect(await keys("k2")).toEqual([key]);
  clock.advance(30 * secondMs);
  expect(await keys("k2")).toEqual([key, second]);
});

test("many that wait at once share one fetch", async () => {
  const { state, keys } = host();
  await Promise.all(Array.from({ length: 50 }, () => keys("k1")));
  expect(state.fetches).toBe(1);
});

test.each<[string, OutboundAnswer]>([
  ["a 500", answerOf({ keys: [key] }, { status: 500 })],
  ["a redirect", answerOf("", { status: 302 })],
  ["HTML", answerOf("<!doctype html><title>Welcome</title>")],
  ["no keys", answerOf({ keys: [] })],
  ["no list", answerOf({ keys: "none" })],
  [
    "more than 100 keys",
    answerOf({ keys: Array.from({ length: 101 }, (_, i) => ({ ...key, kid: `k${i}` })) }),
  ],
  ["a symmetric key", answerOf({ keys: [key, { kty: "oct", k: "c2VjcmV0" }] })],
  ["a private key", answerOf({ keys: [key, { ...privateKey }] })],
  ["a weak RSA key alone", answerOf({ keys: [{ kty: "RSA", n: "sXch", e: "AQAB" }] })],
  ["two keys of one kid", answerOf({ keys: [key, { ...second, kid: "k1" }] })],
  ["a duplicate member", answerOf(`{"keys":[],"keys":[${JSON.stringify(key)}]}`)],
])("K05 %s leaves the last good keys serving, and without any is refused", async (_what, bad) => {
  const { clock, state, keys } = host();
  await keys("k1");
  state.answer = bad;
  clock.advance(10 * minuteMs);
  expect(await keys("k1")).toEqual([key]);

  const fresh = host();
  fresh.state.answer = bad;
  await expect(fresh.keys("k1")).rejects.toMatchObject({ code: "unavailable" });
});

test("K08 a clock that goes back an hour lets no key be trusted an hour longer", async () => {
  const { clock, state, keys } = host();
  await keys("k1");
  clock.jump(-hourMs);
  clock.advance(300 * secondMs);
  await keys("k1");
  expect(state.fetches).toBe(2);
});

test("K08 a clock that goes ahead an hour ends no trust in the keys of a host that is down", async () => {
  const { clock, state, keys } = host();
  await keys("k1");
  state.answer = answerOf({ keys: [key] }, { status: 500 });
  clock.jump(hourMs);
  expect(await keys("k1")).toEqual([key]);
});

test("K05 a host that is down for an hour is believed for that hour and not longer", async () => {
  const clock = testClock(instantOf(1_795_300_000_000));
  let down = false;
  const request = () =>
    down ? Promise.reject(new Problem("outbound_failed")) : Promise.resolve(answerOf({ keys: [key] }));
  const keys = createJwksCache({ request, clock })(url);
  await keys("k1");
  down = true;
  clock.set(after(clock.now(), hourMs - 1));
  expect(await keys("k1")).toEqual([key]);
  clock.advance(1);
  await expect(keys("k1")).rejects.toMatchObject({ code: "unavailable" });
  down = false;
  clock.advance(30 * secondMs);
  expect(await keys("k1")).toEqual([key]);
});

test("a host that is only just starting is asked again after a second", async () => {
  const { clock, state, keys } = host();
  const good = state.answer;
  state.answer = answerOf("", { status: 503 });
  for (let i = 0; i < 10; i++) await expect(keys("k1")).rejects.toMatchObject({ code: "unavailable" });
  expect(state.fetches).toBe(1);
  state.answer = good;
  clock.advance(secondMs);
  expect(await keys("k1")).toEqual([key]);
});

test("one issuer's keys are never another's, and the thousand used last are remembered", async () => {
  const clock = testClock(instantOf(1_795_300_000_000));
  const fetched: string[] = [];
  const request = ({ url: asked }: { url: string }) => {
    fetched.push(asked);
    return Promise.resolve(answerOf({ keys: [{ ...key, kid: asked }] } satisfies JsonObject));
  };
  const jwksOf = createJwksCache({ request, clock });
  for (let i = 0; i <= 1000; i++)
    expect((await jwksOf(`https://i${i}.test`)())[0]?.kid).toBe(`https://i${i}.test`);
  await jwksOf("https://i1000.test")();
  await jwksOf("https://i0.test")();
  expect(fetched).toHaveLength(1002);
});

test("keys for encryption are passed over", async () => {
  const { state, keys } = host();
  state.answer = answerOf({ keys: [{ ...second, use: "enc" }, key] });
  expect(await keys()).toEqual([key]);
});
