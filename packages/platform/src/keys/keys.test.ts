import { hourMs, InvariantViolation, instantOf, minuteMs, secondMs } from "@remit/kernel";
import { parseJws } from "@remit/protocol";
import { holds } from "@remit/protocol/node";
import { eventually, type TestClock, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLog } from "../telemetry/index.ts";
import {
  createKeyring,
  createSigningKeys,
  type KeyChange,
  kekOf,
  publishMs,
  type SigningKeysOptions,
} from "./index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ service: "keys" });
});
afterAll(async () => {
  await database.drop();
});

const kek = kekOf(new Uint8Array(32).fill(1));
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const log = createLog({ service: "test", level: "silent" });
const startedAt = instantOf(1_795_300_000_000);

const keyringAt = (clock: TestClock = testClock(startedAt), its = kek) => createKeyring({ kek: its, clock });

test("what is sealed is opened in its own scope and place alone", async () => {
  const { global } = database.open();
  const keyring = keyringAt();
  const sealed = await global.transaction((tx) =>
    keyring.seal(tx, "org_a", { plaintext: bytes("card"), aad: "row 1" }),
  );
  await global.transaction((tx) => keyring.seal(tx, "org_b", { plaintext: bytes("card"), aad: "row 1" }));
  const open = (scope: string, over: Partial<{ sealed: Uint8Array; aad: string }> = {}) =>
    global.transaction((tx) => keyring.open(tx, scope, { sealed, aad: "row 1", ...over }));
  expect(text(await open("org_a"))).toBe("card");
  await expect(open("org_b")).rejects.toThrow(InvariantViolation);
  await expect(open("org_none")).rejects.toThrow(InvariantViolation);
  await expect(open("org_a", { aad: "row 2" })).rejects.toThrow(InvariantViolation);
  for (let i = 0; i < sealed.length; i++) {
    const changed = sealed.with(i, (sealed[i] ?? 0) ^ 1);
    await expect(open("org_a", { sealed: changed })).rejects.toThrow(InvariantViolation);
  }
});

test("two processes that seal under a new scope at once use one key", async () => {
  const { global } = database.open();
  const [one, two] = [keyringAt(), keyringAt()];
  const sealed = await Promise.all(
    [one, two].map((keyring) =>
      global.transaction((tx) => keyring.seal(tx, "org_race", { plaintext: bytes("x"), aad: "a" })),
    ),
  );
  for (const message of sealed)
    for (const keyring of [one, two])
      expect(
        text(await global.transaction((tx) => keyring.open(tx, "org_race", { sealed: message, aad: "a" }))),
      ).toBe("x");
});

test("a key made in a transaction that rolled back is remembered by nobody", async () => {
  const { global } = database.open();
  const keyring = keyringAt();
  const failed = global.transaction(async (tx) => {
    await keyring.seal(tx, "org_rolled", { plaintext: bytes("lost"), aad: "a" });
    throw new InvariantViolation("rolled back");
  });
  await expect(failed).rejects.toThrow("rolled back");
  const sealed = await global.transaction((tx) =>
    keyring.seal(tx, "org_rolled", { plaintext: bytes("kept"), aad: "a" }),
  );
  const other = keyringAt();
  expect(text(await global.transaction((tx) => other.open(tx, "org_rolled", { sealed, aad: "a" })))).toBe(
    "kept",
  );
});

test("a shredded scope opens nothing and seals nothing; another process forgets it within 60 s", async () => {
  const { global } = database.open();
  const clock = testClock(startedAt);
  const [one, two] = [keyringAt(clock), keyringAt(clock)];
  const sealed = await global.transaction((tx) =>
    one.seal(tx, "org_gone", { plaintext: bytes("x"), aad: "a" }),
  );
  const open = (keyring: typeof one) =>
    global.transaction((tx) => keyring.open(tx, "org_gone", { sealed, aad: "a" }));
  expect(text(await open(two))).toBe("x");
  await global.transaction((tx) => one.shred(tx, "org_gone"));
  expect(await open(one)).toBeUndefined();
  clock.advance(minuteMs);
  expect(await open(two)).toBeUndefined();
  const again = global.transaction((tx) => one.seal(tx, "org_gone", { plaintext: bytes("y"), aad: "a" }));
  await expect(again).rejects.toThrow(InvariantViolation);
  const rows = await database.asAdmin("select wrapped from data_keys where scope = 'org_gone'");
  expect(rows).toEqual([{ wrapped: null }]);
});

test("another key-encryption key opens nothing", async () => {
  const { global } = database.open();
  const sealed = await global.transaction((tx) =>
    keyringAt().seal(tx, "org_kek", { plaintext: bytes("x"), aad: "a" }),
  );
  const stranger = keyringAt(testClock(startedAt), kekOf(new Uint8Array(32).fill(2)));
  await expect(
    global.transaction((tx) => stranger.open(tx, "org_kek", { sealed, aad: "a" })),
  ).rejects.toThrow(InvariantViolation);
});

test("derived secrets differ by purpose and agree between processes", () => {
  expect(keyringAt().derive("dpop-nonce")).toEqual(keyringAt().derive("dpop-nonce"));
  expect(keyringAt().derive("dpop-nonce")).not.toEqual(keyringAt().derive("merchant-nonce"));
});

let purposes = 0;
/** Signing keys of purposes that no other test uses. */
const signingKeys = (over: Partial<SigningKeysOptions> = {}, named = `p${purposes++}`) => {
  const clock = testClock(startedAt);
  const options: SigningKeysOptions = {
    db: database.open(),
    kek,
    clock,
    log,
    purposes: [{ purpose: named, alg: "ES256", tokenLifeMsMax: 15 * minuteMs }],
    ...over,
  };
  return { named, clock, options, keys: createSigningKeys(options) };
};

const verifies = (jws: string, keys: readonly { kid?: string }[]): boolean => {
  const parsed = parseJws(jws, { typ: ["t+jwt"], algs: ["ES256", "EdDSA"], refuse: "invalid_token" });
  const key = keys.find(({ kid }) => kid === parsed.header.kid);
  // The keys are of a JWKS that we made.
  const jwk = key as Parameters<typeof holds>[0]["key"] | undefined;
  return (
    jwk !== undefined &&
    holds({
      alg: parsed.header.alg,
      key: jwk,
      data: parsed.signingInput,
      signature: parsed.signature,
      refuse: "invalid_token",
    })
  );
};

test("the very first key signs at once, and one process's signature verifies with another's JWKS", async () => {
  const one = signingKeys();
  const two = signingKeys({ db: one.options.db }, one.named);
  await Promise.all([one.keys.load(), two.keys.load()]);
  expect(one.keys.jwks().keys).toHaveLength(1);
  expect(one.keys.jwks()).toEqual(two.keys.jwks());
  expect(verifies(await one.keys.sign(one.named, { typ: "t+jwt" }, { a: 1 }), two.keys.jwks().keys)).toBe(
    true,
  );
  expect(JSON.stringify(one.keys.jwks())).not.toContain('"d"');
});

test("K01 K02 a rotation publishes, waits, signs, and keeps the old key until its last token has expired", async () => {
  const changes: KeyChange[] = [];
  const { keys, named, clock } = signingKeys({
    recordChange: (_tx, change) => {
      changes.push(change);
      return Promise.resolve();
    },
  });
  await keys.load();
  const before = await keys.sign(named, { typ: "t+jwt" }, { n: 1 });
  const { kid } = await keys.rotate(named);
  expect((await keys.rotate(named)).kid).toBe(kid);
  expect(keys.jwks().keys).toHaveLength(2);
  clock.advance(publishMs - 1);
  await keys.reload();
  expect(keys.currentKey(named).kid).not.toBe(kid);
  clock.advance(1);
  await keys.reload();
  expect(keys.currentKey(named).kid).toBe(kid);
  expect(verifies(before, keys.jwks().keys)).toBe(true);
  clock.advance(16 * minuteMs);
  await keys.reload();
  expect(verifies(before, keys.jwks().keys)).toBe(true);
  clock.advance(minuteMs);
  await keys.reload();
  expect(keys.jwks().keys.map((key) => key.kid)).toEqual([kid]);
  expect(changes.map(({ state }) => state)).toEqual(["current", "next", "retired", "current", "removed"]);
  const rows = await database.asAdmin(
    "select wrapped from signing_keys where state = 'removed' and purpose = $1",
    [named],
  );
  expect(rows).toEqual([{ wrapped: null }]);
});

test("K01 two processes that rotate at once publish one next key", async () => {
  const one = signingKeys();
  const two = signingKeys({ db: one.options.db }, one.named);
  await Promise.all([one.keys.load(), two.keys.load()]);
  const [first, second] = await Promise.all([one.keys.rotate(one.named), two.keys.rotate(one.named)]);
  expect(first.kid).toBe(second.kid);
});

test("keys of evidence stay known with their time after they are removed, others do not", async () => {
  for (const evidence of [true, false]) {
    const named = `evidence-${evidence}`;
    const { keys, clock } = signingKeys(
      { purposes: [{ purpose: named, alg: "EdDSA", evidence, tokenLifeMsMax: hourMs }] },
      named,
    );
    await keys.load();
    // The clock of `signingKeys` is the one its keys look at.
    await keys.rotate(named);
    clock.advance(publishMs);
    await keys.reload();
    clock.advance(2 * hourMs);
    await keys.reload();
    expect(keys.jwks().keys).toHaveLength(1);
    expect(keys.publicKeys(named)).toHaveLength(evidence ? 2 : 1);
    if (evidence) expect(keys.publicKeys(named)[0]).toMatchObject({ state: "removed", notBefore: startedAt });
  }
});

test("a raw signature is made by the key that is named, and by none that no longer signs", async () => {
  const { keys, named } = signingKeys();
  await keys.load();
  const { kid, jwk } = keys.currentKey(named);
  const data = bytes("signed");
  const signature = await keys.signBytes(kid, data);
  expect(holds({ alg: "ES256", key: jwk, data, signature, refuse: "invalid_token" })).toBe(true);
  await expect(keys.signBytes("another", data)).rejects.toThrow(InvariantViolation);
});

test("private keys are nowhere in the database, and another key-encryption key cannot load them", async () => {
  const { keys, named, options } = signingKeys();
  await keys.load();
  const rows = await database.asAdmin<{ text: string }>(
    "select row_to_json(signing_keys)::text as text from signing_keys",
  );
  for (const { text: row } of rows) expect(row).not.toMatch(/"d"\s*:/);
  const stranger = createSigningKeys({
    ...options,
    kek: kekOf(new Uint8Array(32).fill(9)),
    purposes: [{ purpose: named, alg: "ES256", tokenLifeMsMax: 0 }],
  });
  await expect(stranger.load()).rejects.toThrow(InvariantViolation);
});

test("K03 a revoked key is out of the JWKS and signs nothing more, in every process, and another one signs at once", async () => {
  const changes: KeyChange[] = [];
  const one = signingKeys({
    recordChange: async (_tx, change) => void changes.push(change),
  });
  const two = signingKeys({ db: database.open() }, one.named);
  await one.keys.load();
  await two.keys.load();
  const { kid } = one.keys.currentKey(one.named);
  const token = await two.keys.sign(one.named, { typ: "t+jwt" }, { n: 1 });
  const { revoked, successor } = await one.keys.revoke(kid, { reason: "the disk was stolen" });
  expect(revoked).toMatchObject({ kid, state: "removed", reason: "the disk was stolen" });
  expect(one.keys.currentKey(one.named).kid).toBe(successor?.kid);
  expect(verifies(token, one.keys.jwks().keys)).toBe(false);
  await expect(one.keys.signBytes(kid, bytes("x"))).rejects.toMatchObject({ code: "unavailable" });
  // The other process hears of it by itself.
  await eventually(() => two.keys.currentKey(one.named).kid === successor?.kid);
  expect(verifies(token, two.keys.jwks().keys)).toBe(false);
  await expect(two.keys.signBytes(kid, bytes("x"))).rejects.toMatchObject({ code: "unavailable" });
  expect(verifies(await two.keys.sign(one.named, { typ: "t+jwt" }, { n: 2 }), one.keys.jwks().keys)).toBe(
    true,
  );
  expect(changes.map(({ state }) => state)).toEqual(["current", "removed", "current"]);
  expect((await one.keys.revoke(kid, { reason: "again" })).revoked.reason).toBe("the disk was stolen");
  await expect(one.keys.revoke("nobody's", { reason: "x" })).rejects.toMatchObject({ code: "not_found" });
  const rows = await database.asAdmin("select wrapped from signing_keys where kid = $1", [kid]);
  expect(rows).toEqual([{ wrapped: null }]);
});

test("K03 a revoked key gives way to the next one where one is published already, and a revoked next key to none", async () => {
  const { keys, named } = signingKeys();
  await keys.load();
  const next = await keys.rotate(named);
  const { successor } = await keys.revoke(keys.currentKey(named).kid, { reason: "leaked" });
  expect(successor?.kid).toBe(next.kid);
  const another = await keys.rotate(named);
  expect((await keys.revoke(another.kid, { reason: "leaked" })).successor).toBeUndefined();
  expect(keys.currentKey(named).kid).toBe(next.kid);
  expect(keys.jwks().keys.map(({ kid }) => kid)).toEqual([next.kid]);
});

test("K03 without LISTEN a process that has not heard for 40 s looks before it signs, and else does not sign", async () => {
  const one = signingKeys();
  const deaf = { ...database.open(), listen: () => () => undefined };
  const two = signingKeys({ db: deaf, clock: one.clock }, one.named);
  await one.keys.load();
  await two.keys.load();
  const { kid } = one.keys.currentKey(one.named);
  await one.keys.revoke(kid, { reason: "leaked" });
  expect(two.keys.currentKey(one.named).kid).toBe(kid);
  one.clock.advance(41 * secondMs);
  const token = await two.keys.sign(one.named, { typ: "t+jwt" }, {});
  expect(verifies(token, one.keys.jwks().keys)).toBe(true);
  one.clock.advance(41 * secondMs);
  await deaf.close();
  await expect(two.keys.sign(one.named, { typ: "t+jwt" }, {})).rejects.toMatchObject({ status: 503 });
});

test("C17 each of 10,000 tokens that are signed while keys rotate verifies with the JWKS of five minutes before", async () => {
  const { keys, named, clock } = signingKeys();
  await keys.load();
  const seen: { readonly at: number; readonly keys: readonly { kid?: string }[] }[] = [];
  let rotations = 0;
  let failures = 0;
  for (let count = 0; count < 10_000; count++) {
    if (count % 250 === 0) {
      clock.advance(150 * secondMs);
      await keys.reload();
      seen.push({ at: clock.now(), keys: keys.jwks().keys });
      if (seen.length > 3) seen.shift();
    }
    if (count % 1_000 === 0) {
      await keys.rotate(named);
      rotations++;
    }
    const token = await keys.sign(named, { typ: "t+jwt" }, { count });
    const cached = seen.find(({ at }) => at >= clock.now() - 300 * secondMs);
    if (!verifies(token, cached?.keys ?? [])) failures++;
  }
  expect({ rotations, failures }).toEqual({ rotations: 10, failures: 0 });
  expect(new Set((await keys.list()).map(({ state }) => state))).toEqual(
    new Set(["removed", "retired", "current"]),
  );
});
