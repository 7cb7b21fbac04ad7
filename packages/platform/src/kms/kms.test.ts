import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { hourMs, Secret, systemClock } from "@remit/kernel";
import { holds } from "@remit/protocol/node";
import { kmsCredentials, type TestSandbox, testClock, testDatabase, testSandbox } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { describeKeks, describeSigners } from "../../test/signer-contract.ts";
import { kekSourceOf, withKeepers } from "../key-places/index.ts";
import { createKeyring, kekFiles } from "../keys/index.ts";
import { createKekRotation } from "../keys/kek-rotation.ts";
import { type OpenKek, openKek } from "../keys/open-kek.ts";
import { createOutbound, type Outbound } from "../outbound/index.ts";
import { createLog } from "../telemetry/index.ts";
import { type Kms, type KmsLogin, kmsKek, kmsSigners, openKms, signedHeaders } from "./index.ts";

let sandbox: TestSandbox;
let outbound: Outbound;
let folder = "";
beforeAll(async () => {
  sandbox = await testSandbox();
  outbound = createOutbound({ allow: [new URL(sandbox.origin).host] });
  folder = await mkdtemp(path.join(tmpdir(), "remit-kms-"));
});
afterAll(async () => {
  await outbound.close();
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => sandbox.kms({ away: false }));

const { id, secret, containerToken } = kmsCredentials;
const byKey: KmsLogin = {
  method: "static",
  credentials: { accessKeyId: id, secretAccessKey: new Secret(secret) },
};
const region = "eu-central-1";
const endpoint = (): string => `${sandbox.origin}/kms/`;
const opened = (login: KmsLogin = byKey, clock = systemClock): Kms =>
  openKms({ outbound, clock, region, endpoint: endpoint(), login });
const log = createLog({ service: "test", level: "silent" });
const describing = { KeyId: "alias/none" };

describeSigners("KMS", () => kmsSigners({ kms: opened(), prefix: "contract-" }));
const shared = `alias/contract-${randomBytes(4).toString("hex")}`;
describeKeks("KMS", () => kmsKek({ kms: opened(), alias: shared }));

describe("how KMS is asked", () => {
  // The suite of examples that AWS publishes for Signature Version 4: get-vanilla and post-vanilla.
  test.each([
    ["GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
  ])("a %s is signed as AWS has it", (method, signature) => {
    const headers = signedHeaders(
      { method, url: new URL("https://example.amazonaws.com/"), headers: {}, body: "" },
      {
        credentials: {
          accessKeyId: "AKIDEXAMPLE",
          secretAccessKey: new Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        },
        region: "us-east-1",
        service: "service",
        at: "20150830T123600Z",
      },
    );
    expect(headers["authorization"]).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    );
  });

  const container = async (token: string): Promise<KmsLogin> => {
    const tokenFile = path.join(folder, `token-${randomBytes(4).toString("hex")}`);
    await writeFile(tokenFile, `${token}\n`);
    return { method: "container", url: `${sandbox.origin}/kms/credentials`, tokenFile };
  };

  test("it lets us in by a key and as a container, and by nothing else", async () => {
    for (const login of [byKey, await container(containerToken)])
      await expect(opened(login).call("DescribeKey", describing)).resolves.toBeUndefined();
    const wrong: KmsLogin[] = [
      { ...byKey, credentials: { accessKeyId: "AKIANOBODY", secretAccessKey: new Secret(secret) } },
      { ...byKey, credentials: { accessKeyId: id, secretAccessKey: new Secret("guessed") } },
      await container("guessed"),
    ];
    for (const login of wrong)
      await expect(opened(login).call("DescribeKey", describing)).rejects.toMatchObject({
        code: "unavailable",
      });
    // A clock that is a quarter of an hour off signs nothing that counts.
    const late = testClock();
    late.advance(hourMs);
    await expect(opened(byKey, late).call("DescribeKey", describing)).rejects.toMatchObject({
      private: { kms: { type: "InvalidSignatureException" } },
    });
  });

  test("a container's credentials are fetched once for many calls, and again when they were taken away", async () => {
    const kms = opened(await container(containerToken));
    const before = (await sandbox.kmsCalls())["credentials"] ?? 0;
    const fetched = async (): Promise<number> => ((await sandbox.kmsCalls())["credentials"] ?? 0) - before;
    await Promise.all(Array.from({ length: 8 }, () => kms.call("DescribeKey", describing)));
    expect(await fetched()).toBe(1);
    await sandbox.kms({ expire_tokens: true });
    await kms.call("DescribeKey", describing);
    expect(await fetched()).toBe(2);
  });

  test("a refusal says its kind to our log, and to nobody a secret or what was to be wrapped", async () => {
    const refusal = await opened()
      .call("Decrypt", { KeyId: "alias/none", CiphertextBlob: "c2VjcmV0" })
      .then(() => opened().call("Sign", { KeyId: "alias/none", SigningAlgorithm: "c2VjcmV0" }))
      .then(() => opened().call("Nothing", { Plaintext: "c2VjcmV0" }))
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ status: 503, private: { kms: { type: "UnknownOperationException" } } });
    expect(JSON.stringify(refusal)).not.toMatch(/c2VjcmV0|sandbox-secret/);
  });
});

test("a message longer than KMS takes is signed by its digest with ES256, and by Ed25519 not at all", async () => {
  const engine = kmsSigners({ kms: opened(), prefix: "long-" });
  const data = randomBytes(5_000);
  for (const alg of ["ES256", "EdDSA"] as const) {
    const { jwk, kept } = await engine.create({ purpose: "long", alg });
    const reference = "reference" in kept ? kept.reference : "";
    const key = { purpose: "long", kid: jwk.kid, alg, public_jwk: jwk, wrapped: null, kek: null, reference };
    const signing = Promise.resolve((await engine.open(key)).sign(data));
    if (alg === "EdDSA") await expect(signing).rejects.toMatchObject({ status: 503 });
    else expect(holds({ alg, key: jwk, data, signature: await signing, refuse: "invalid_token" })).toBe(true);
  }
});

test("D09 KMS is away at the start: it is refused with what to do; later what needs it is a 503", async () => {
  await sandbox.kms({ away: true });
  await expect(
    withKeepers(() => kmsKek({ kms: opened(), alias: "alias/away" }).first()),
  ).rejects.toMatchObject({
    name: "StartRefused",
    remedy: expect.stringContaining("REMIT_KMS_"),
  });
  await expect(opened().call("Encrypt", {})).rejects.toMatchObject({
    status: 503,
    headers: { "retry-after": "1" },
  });
});

/** A database of its own with a sealed row, whose key-encryption key may move between a file and KMS. */
async function moving(name: string) {
  const own = await testDatabase({ service: "keys" });
  const dataDir = path.join(folder, name);
  const db = own.open();
  const clock = testClock();
  const keyPrefix = `${name}-${randomBytes(4).toString("hex")}-`;
  const config = { region, endpoint: endpoint(), login: byKey, keyPrefix };
  const openedAt = (place: "file" | "kms") => {
    const kms = { ...config, kek: place === "kms" };
    const source = kekSourceOf({ config: { dataDir, kms }, service: "test", outbound, clock });
    return openKek({ db, source, log });
  };
  const first = await openKek({ db, source: kekFiles(dataDir), log });
  const plaintext = new TextEncoder().encode("card");
  const sealed = await db.global.transaction((tx) =>
    createKeyring({ kek: first, clock }).seal(tx, "org_a", { plaintext, aad: "row" }),
  );
  first.close();
  const check = async (kek: OpenKek): Promise<void> => {
    const ring = createKeyring({ kek, clock });
    const read = db.global.transaction((tx) => ring.open(tx, "org_a", { sealed, aad: "row" }));
    expect(await read).toEqual(plaintext);
  };
  return { db, dataDir, openedAt, check, drop: () => own.drop() };
}

const stateOfKey = async (kek: string): Promise<unknown> => {
  const found = await opened().call("DescribeKey", { KeyId: kek.replace("kms:", "") });
  return Object(found?.["KeyMetadata"]).KeyState;
};

test("of several first starts at once, each has the key of the one whose alias was first", async () => {
  const alias = `alias/first-${randomBytes(4).toString("hex")}`;
  const keys = await Promise.all(Array.from({ length: 6 }, () => kmsKek({ kms: opened(), alias }).first()));
  expect(new Set(keys.map((key) => key.id)).size).toBe(1);
});

test("K06 a key-encryption key moves from a file to KMS and back, twice, rotates in each, and none is left behind that opens", async () => {
  const { db, dataDir, openedAt, check, drop } = await moving("moving");
  try {
    const formers: string[] = [];
    for (const place of ["kms", "file", "kms", "file"] as const) {
      const kek = await openedAt(place);
      const rotation = createKekRotation({ db, kek, log });
      // Once to move, and once where it is then: what a move has left must not stand in the way.
      for (const _ of ["move", "stay"]) {
        const { former } = await rotation.begin();
        await rotation.run();
        formers.push(String(former));
        const { current, former: left } = await rotation.progress();
        expect([current.startsWith("kms:"), left]).toEqual([place === "kms", null]);
        expect(formers).not.toContain(current);
        expect(await readdir(dataDir)).toEqual(place === "kms" ? [] : ["kek"]);
        await check(kek);
      }
      kek.close();
    }
    const inKms = formers.filter((id) => id.startsWith("kms:"));
    expect(await Promise.all(inKms.map(stateOfKey))).toEqual(Array(4).fill("Disabled"));
    const inFiles = formers.filter((id) => !id.startsWith("kms:"));
    const found = await Promise.all(inFiles.map((each) => kekFiles(dataDir).find(each)));
    expect(found).toEqual(inFiles.map(() => undefined));
  } finally {
    await drop();
  }
});

test("K06 a key that wraps nothing is not rotated to: the one in use stays, and what is sealed under it is read", async () => {
  const { db, openedAt, check, drop } = await moving("untried");
  try {
    const kek = await openedAt("kms");
    const next = async (current: string) => {
      const key = await kek.source.next(current);
      await opened().call("DisableKey", { KeyId: key.id.replace("kms:", "") });
      return key;
    };
    const rotation = createKekRotation({ db, kek: { ...kek, source: { ...kek.source, next } }, log });
    const before = await rotation.progress();
    await expect(rotation.begin()).rejects.toMatchObject({ status: 503 });
    expect(await rotation.progress()).toEqual(before);
    await check(kek);
    kek.close();
  } finally {
    await drop();
  }
});

test("K06 a former key that could not be disabled, or whose rotation was killed before, is named and disabled by the next run", async () => {
  const { db, openedAt, drop } = await moving("unsettled");
  try {
    const kek = await openedAt("kms");
    const settle = () => Promise.reject(new Error("away"));
    const lines: unknown[][] = [];
    const write = (...line: unknown[]): void => void lines.push(line);
    const heard = Object.assign(Object.create(log), { error: write, info: write });
    const rotation = createKekRotation({
      db,
      kek: { ...kek, source: { ...kek.source, settle } },
      log: heard,
    });
    const { former } = await rotation.begin();
    await expect(rotation.run()).rejects.toThrow("away");
    expect(lines).toEqual([[expect.objectContaining({ former }), expect.stringContaining("not destroyed")]]);
    expect((await rotation.progress()).former).toBeNull();
    // A new rotation would write over its name: it is disabled first, or none begins.
    await expect(rotation.begin()).rejects.toThrow("away");
    const settled: unknown[] = [];
    const again = createKekRotation({
      db,
      kek: {
        ...kek,
        source: {
          ...kek.source,
          settle: async (current: string, one?: string) => {
            if (one !== undefined) settled.push(one);
            await kek.source.settle(current, one);
          },
        },
      },
      log: heard,
    });
    await again.run();
    await again.run();
    expect(settled).toEqual([former]);
    expect((await again.begin()).former).not.toBe(former);
    kek.close();
  } finally {
    await drop();
  }
});
