import { createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { hourMs, minuteMs, Secret, systemClock } from "@remit/kernel";
import {
  type TestDatabase,
  type TestSandbox,
  testClock,
  testDatabase,
  testSandbox,
  vaultCredentials,
} from "@remit/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { describeKeks, describeSigners } from "../../test/signer-contract.ts";
import { kekSourceOf, withKeepers } from "../key-places/index.ts";
import { createKeyring, createSigningKeys, kekFiles, kekOf } from "../keys/index.ts";
import { createKekRotation } from "../keys/kek-rotation.ts";
import { localSigners } from "../keys/local-signers.ts";
import { openKek } from "../keys/open-kek.ts";
import { createOutbound, type Outbound } from "../outbound/index.ts";
import { createLog } from "../telemetry/index.ts";
import { rawOfDer } from "./der.ts";
import { openVault, type Vault, type VaultLogin, vaultKek, vaultSigners } from "./index.ts";

let sandbox: TestSandbox;
let outbound: Outbound;
let folder = "";
let database: TestDatabase;
beforeAll(async () => {
  sandbox = await testSandbox();
  outbound = createOutbound({ allow: [new URL(sandbox.origin).host] });
  folder = await mkdtemp(path.join(tmpdir(), "remit-vault-"));
  database = await testDatabase({ service: "keys" });
});
afterAll(async () => {
  await outbound.close();
  await sandbox.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => sandbox.vault({ sealed: false, always_der: false }));

const { approle, kubernetes, token } = vaultCredentials;
const byRole: VaultLogin = {
  method: "approle",
  roleId: approle.role_id,
  secretId: new Secret(approle.secret_id),
};
const address = (): string => `${sandbox.origin}/vault`;
const opened = (login: VaultLogin = byRole, clock = systemClock): Vault =>
  openVault({ outbound, clock, address: address(), login });
const log = createLog({ service: "test", level: "silent" });

let names = 0;
const signers = (prefix = `s${names++}-`, vault = opened()) =>
  vaultSigners({ vault, mount: "transit", prefix });

describeSigners("this process", () => localSigners(kekOf(new Uint8Array(32).fill(3))));
const shared = `shared-${randomBytes(4).toString("hex")}-`;
describeSigners("Vault", () => signers(shared));
describeKeks(
  "files",
  (() => {
    const dataDir = path.join(tmpdir(), `remit-vault-kek-${randomBytes(6).toString("hex")}`);
    afterAll(() => rm(dataDir, { recursive: true, force: true }));
    return () => kekFiles(dataDir);
  })(),
);
describeKeks("Vault", () => vaultKek({ vault: opened(), mount: "transit", name: `${shared}kek` }));

describe("how Vault is asked", () => {
  test("it lets us in by token, by AppRole and by Kubernetes, and by nothing else", async () => {
    const tokenFile = path.join(folder, "jwt");
    await writeFile(tokenFile, `${kubernetes.jwt}\n`);
    const logins: VaultLogin[] = [
      { method: "token", token: new Secret(token) },
      byRole,
      { method: "kubernetes", role: kubernetes.role, tokenFile },
    ];
    for (const login of logins)
      await expect(opened(login).call("GET", "transit/keys/none")).resolves.toBeUndefined();
    const wrong: VaultLogin[] = [
      { method: "token", token: new Secret("guessed") },
      { ...byRole, secretId: new Secret("guessed") },
      { method: "kubernetes", role: "another", tokenFile },
    ];
    for (const login of wrong)
      await expect(opened(login).call("GET", "transit/keys/none")).rejects.toMatchObject({
        code: "unavailable",
      });
  });

  test("it logs in once for many calls at once, again before the token ends, and again when it was taken away", async () => {
    const clock = testClock();
    const vault = opened(byRole, clock);
    const before = (await sandbox.vaultCalls())["POST auth/approle/login"] ?? 0;
    const logins = async (): Promise<number> =>
      ((await sandbox.vaultCalls())["POST auth/approle/login"] ?? 0) - before;
    await Promise.all(Array.from({ length: 8 }, () => vault.call("GET", "transit/keys/none")));
    expect(await logins()).toBe(1);
    clock.advance(hourMs);
    await vault.call("GET", "transit/keys/none");
    expect(await logins()).toBe(2);
    await sandbox.vault({ expire_tokens: true });
    await vault.call("GET", "transit/keys/none");
    expect(await logins()).toBe(3);
  });

  test("a refusal says what Vault said to our log, and to nobody a token or what was to be signed", async () => {
    const vault = opened();
    const refusal = await vault
      .call("POST", "transit/sign/none", { input: "c2VjcmV0" })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      status: 503,
      private: { vault: { status: 400, errors: ["encryption key not found"] } },
    });
    expect(JSON.stringify(refusal)).not.toMatch(/c2VjcmV0|hvs\./);
  });

  test("KV v2 keeps versions and hands out the newest", async () => {
    const vault = opened();
    await vault.call("POST", "secret/data/remit", { data: { a: 1 } });
    await vault.call("POST", "secret/data/remit", { data: { a: 2 } });
    expect(await vault.call("GET", "secret/data/remit")).toMatchObject({
      data: { a: 2 },
      metadata: { version: 2 },
    });
  });
});

describe("signatures of ECDSA", () => {
  test("as DER from an older server they leave us as JWS has them", async () => {
    await sandbox.vault({ always_der: true });
    const engine = signers();
    const { jwk, kept } = await engine.create({ purpose: "der", alg: "ES256" });
    const reference = "reference" in kept ? kept.reference : "";
    const key = {
      purpose: "der",
      kid: jwk.kid,
      alg: "ES256",
      public_jwk: jwk,
      wrapped: null,
      kek: null,
      reference,
    } as const;
    for (let i = 0; i < 20; i++) expect(await (await engine.open(key)).sign(randomBytes(8))).toHaveLength(64);
  });

  test("DER that is cut short, too long or of another shape is none", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const der = new Uint8Array(createSign("sha256").update("x").sign(privateKey));
    expect(rawOfDer(der)).toHaveLength(64);
    for (const wrong of [
      der.slice(0, -1),
      new Uint8Array([...der, 0]),
      der.with(0, 0x31),
      der.with(2, 0x03),
      new Uint8Array(0),
    ])
      expect(rawOfDer(wrong)).toBeUndefined();
  });
});

const purposes = [{ purpose: "access", alg: "ES256", tokenLifeMsMax: 15 * minuteMs }] as const;
const issuer = (purpose: string, prefix: string) => {
  const engine = signers(prefix);
  const [usual] = purposes;
  const kek = kekOf(new Uint8Array(32).fill(1));
  return createSigningKeys({
    db: database.open(),
    kek,
    clock: systemClock,
    log,
    engine,
    purposes: [{ ...usual, purpose }],
  });
};

describe("D09 Vault is away", () => {
  test("D09 at the start: it is refused with what to do, and nothing is written", async () => {
    await sandbox.vault({ sealed: true });
    const keys = issuer("boot", "boot-");
    await expect(withKeepers(() => keys.load())).rejects.toMatchObject({
      name: "StartRefused",
      remedy: expect.stringContaining("unseal Vault"),
    });
    expect(await database.asAdmin("select from signing_keys where purpose = 'boot'")).toEqual([]);
    const config = {
      dataDir: path.join(folder, "boot"),
      vault: { address: address(), login: byRole, transit: "transit", keyPrefix: "k-", kek: true },
    };
    const source = kekSourceOf({ config, service: "test", outbound, clock: systemClock });
    await expect(withKeepers(() => openKek({ db: database.open(), source, log }))).rejects.toMatchObject({
      name: "StartRefused",
    });
  });

  test("D09 later: nothing is signed, the keys are published on, a key can be revoked, and all is well once it is back", async () => {
    const keys = issuer("later", "later-");
    await keys.load();
    const { kid } = keys.currentKey("later");
    await keys.sign("later", { typ: "t+jwt" }, {});
    await sandbox.vault({ sealed: true });
    await expect(keys.sign("later", { typ: "t+jwt" }, {})).rejects.toMatchObject({ status: 503 });
    await expect(keys.signBytes(kid, new Uint8Array(4))).rejects.toMatchObject({ status: 503 });
    expect(keys.jwks().keys.map((key) => key.kid)).toEqual([kid]);
    expect((await keys.revoke(kid, { reason: "leaked" })).successor).toBeUndefined();
    expect(keys.jwks().keys).toEqual([]);
    await expect(keys.sign("later", { typ: "t+jwt" }, {})).rejects.toMatchObject({ status: 503 });
    await sandbox.vault({ sealed: false });
    await keys.reload();
    expect(keys.currentKey("later").kid).not.toBe(kid);
    await keys.sign("later", { typ: "t+jwt" }, {});
    keys.close();
  });

  test("what the database keeps of a key in Vault is its name there", async () => {
    const keys = issuer("kept", "kept-");
    await keys.load();
    const rows = await database.asAdmin(
      "select engine, reference, wrapped from signing_keys where purpose = 'kept'",
    );
    expect(rows).toEqual([{ engine: "vault", reference: "transit/kept-kept#1", wrapped: null }]);
    keys.close();
  });
});

test("K06 a service moves its key-encryption key from a file into Vault and back, and what it leaves opens nothing", async () => {
  const own = await testDatabase({ service: "keys" });
  try {
    const dataDir = path.join(folder, "moving");
    const db = own.open();
    const clock = testClock();
    const before = await openKek({ db, source: kekFiles(dataDir), log });
    const ring = createKeyring({ kek: before, clock });
    const plaintext = new TextEncoder().encode("card");
    const sealed = await db.global.transaction((tx) => ring.seal(tx, "org_a", { plaintext, aad: "row" }));
    before.close();
    const vault = { address: address(), login: byRole, transit: "transit", keyPrefix: "moving-", kek: true };
    const places = { service: "test", outbound, clock };
    const source = kekSourceOf({ ...places, config: { dataDir, vault } });
    const kek = await openKek({ db, source, log });
    const rotation = createKekRotation({ db, kek, log });
    await rotation.begin();
    await rotation.run();
    expect(await rotation.progress()).toMatchObject({
      current: "vault:transit/moving-kek-test#1",
      former: null,
    });
    expect(await readdir(dataDir)).toEqual([]);
    const after = createKeyring({ kek: await openKek({ db, source, log }), clock });
    expect(await db.global.transaction((tx) => after.open(tx, "org_a", { sealed, aad: "row" }))).toEqual(
      plaintext,
    );
    expect(after.derive("cookies")).toEqual(ring.derive("cookies"));
    // And back: what was wrapped in Vault is opened there no more, and a move there again is to another version.
    const inVault = await kek.engine("vault:transit/moving-kek-test#1");
    const wrapped = await inVault.wrap({ plaintext, aad: "kept" });
    const home = kekSourceOf({ ...places, config: { dataDir, vault: { ...vault, kek: false } } });
    for (const to of [home, source]) {
      const there = await openKek({ db, source: to, log });
      const move = createKekRotation({ db, kek: there, log });
      await move.begin();
      await move.run();
      await expect(inVault.unwrap({ wrapped, aad: "kept" })).rejects.toMatchObject({ status: 503 });
      const moved = createKeyring({ kek: there, clock });
      const read = db.global.transaction((tx) => moved.open(tx, "org_a", { sealed, aad: "row" }));
      expect(await read).toEqual(plaintext);
      there.close();
    }
  } finally {
    await own.drop();
  }
});
