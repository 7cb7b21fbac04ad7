import { type Id, newId } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import {
  base64url,
  examineTreeCheckpoint,
  hashesAt,
  isConsistent,
  isIncluded,
  newEvent,
  parseTilePath,
  rootOf,
  tileWidth,
} from "@remit/protocol";
import { settle, sha256 } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readEntries, sequence } from "../src/audit/audit.ts";
import { originOf, signCheckpoint } from "../src/audit/checkpoint.ts";
import { createAuditRecorder } from "../src/audit/index.ts";
import { consistencyOf, inclusionOf, newestCheckpoint, tileOf } from "../src/audit/proofs.ts";
import { verifyLog } from "../src/audit/verify.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";

let log: AuditLog;
let tenant: Id<"tenant">;

beforeAll(async () => {
  log = await openAuditLog();
});
afterAll(() => log.close());

/** More entries in the chain, and a signature over them. */
async function grow(count: number): Promise<void> {
  const actor = { type: "system", id: "test" } as const;
  const events = Array.from({ length: count }, () =>
    newEvent("charge.captured", { tenant, actor, subject: newId("charge"), payload: {} }, log.clock.now()),
  );
  const rows = createAuditRecorder(log.clock).rowsOf(events);
  await log.db.single.run(sql`select record_audit_rows(${rows}::jsonb)`);
  await sequence(log.deps, tenant);
  await signCheckpoint(log.deps, tenant);
}

/** What the newest note says, its signature verified. */
async function signedTree(): Promise<{ size: number; root: Uint8Array }> {
  const { note } = await newestCheckpoint(log.deps, tenant);
  const keys = log.deps.keys.publicKeys("audit").map(({ jwk }) => jwk);
  return settle(examineTreeCheckpoint(sha256, note, { origin: originOf(log.deps, tenant), keys }));
}

const idAt = async (index: number): Promise<Id<"event">> => {
  const [entry] = await readEntries(log.db, tenant, { after: index, limit: 1 });
  if (entry === undefined) throw new Error("there is such an entry");
  return entry.id;
};

describe("the tree over a log of 600 entries, signed at 3, 259 and 600", () => {
  const trees: { size: number; root: Uint8Array }[] = [];

  beforeAll(async () => {
    tenant = newId("tenant");
    for (const count of [3, 256, 341]) {
      await grow(count);
      trees.push(await signedTree());
    }
  });

  test("is named in each checkpoint, and the whole log verifies against it", async () => {
    expect(trees.map(({ size }) => size)).toEqual([3, 259, 600]);
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true, checkedCount: 600 });
  });

  test("proves every entry to whoever has the note alone, in the newest tree and in the older ones", async () => {
    for (const [index, size] of [
      [0, 600],
      [0, 3],
      [2, 259],
      [255, 600],
      [256, 259],
      [599, 600],
    ] as const) {
      const proof = await inclusionOf(log.deps, tenant, { event: await idAt(index), size });
      const root = trees.find((tree) => tree.size === size)?.root;
      expect(proof && root && isIncluded(sha256, { ...proof, root })).toBe(true);
      expect(proof && root && isIncluded(sha256, { ...proof, root, index: index + 1 })).toBe(false);
    }
  });

  test("proves that it began as each tree that was signed before", async () => {
    for (const first of trees)
      for (const second of trees.filter(({ size }) => size >= first.size)) {
        const { hashes } = await consistencyOf(log.deps, tenant, { first: first.size, second: second.size });
        expect(isConsistent(sha256, { first, second, hashes })).toBe(true);
      }
  });

  test("is served in tiles from which everybody makes its root", async () => {
    const at = async (path: string): Promise<Uint8Array> => {
      const [level = "", ...rest] = path.split("/");
      const tile = parseTilePath(level, rest.join("/"));
      return (tile && (await tileOf(log.deps, tenant, tile))) ?? new Uint8Array();
    };
    const hashes = (tile: Uint8Array): Uint8Array[] =>
      Array.from({ length: tile.length / 32 }, (_, at) => tile.subarray(at * 32, at * 32 + 32));
    const full = [await at("0/000"), await at("0/001")];
    const rest = await at("0/002.p/88");
    expect([...full, rest].map(({ length }) => length / 32)).toEqual([tileWidth, tileWidth, 88]);
    const leaves = [...full, rest].flatMap(hashes);
    expect(Buffer.compare(rootOf(sha256, leaves), trees[2]?.root ?? new Uint8Array())).toBe(0);
    const above = hashes(await at("1/000.p/2"));
    expect(above).toHaveLength(hashesAt(1, 600));
    for (const [index, tile] of full.entries())
      expect(Buffer.compare(rootOf(sha256, hashes(tile)), above[index] ?? new Uint8Array())).toBe(0);
    for (const beyond of ["0/002", "0/002.p/89", "0/003", "1/000", "1/000.p/3", "2/000"])
      expect((await at(beyond)).length, beyond).toBe(0);
  });

  test("gives no proof in a tree that was not signed, of an entry that came later, or of another log's", async () => {
    const event = await idAt(300);
    for (const size of [601, 259])
      await expect(inclusionOf(log.deps, tenant, { event, size })).rejects.toMatchObject({
        code: "invalid_request",
      });
    await expect(consistencyOf(log.deps, tenant, { first: 601, second: undefined })).rejects.toThrow();
    await expect(consistencyOf(log.deps, tenant, { first: 259, second: 3 })).rejects.toThrow();
    expect(await inclusionOf(log.deps, newId("tenant"), { event, size: undefined })).toBeUndefined();
    await expect(newestCheckpoint(log.deps, newId("tenant"))).rejects.toMatchObject({
      code: "audit_checkpoint_not_found",
    });
  });

  test("takes an entry that was only just recorded in at once", async () => {
    const event = await log.record(tenant);
    const proof = await inclusionOf(log.deps, tenant, { event: event.id, size: undefined });
    const tree = await signedTree();
    expect(proof && isIncluded(sha256, { ...proof, root: tree.root })).toBe(true);
    expect(tree.size).toBe(601);
  });

  test("of before this version, of which no root was kept, is grown when the next checkpoint is signed", async () => {
    await log.tamper(`delete from audit_tree where tenant_id = '${tenant}'`);
    await grow(1);
    expect((await signedTree()).size).toBe(602);
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true, checkedCount: 602 });
  });
});

describe("whoever owns the database is found out", () => {
  beforeEach(async () => {
    tenant = newId("tenant");
    await grow(300);
  });

  const brokenAt = async (): Promise<number | undefined> => (await verifyLog(log.deps, tenant)).brokenAt?.seq;

  test("L06 a hash of the tree that was changed is found, and nothing more is signed", async () => {
    await log.tamper(`update audit_tree set hash = sha256(hash) where tenant_id = '${tenant}'`);
    expect(await brokenAt()).toBe(300);
    await log.record(tenant);
    await sequence(log.deps, tenant);
    expect(await signCheckpoint(log.deps, tenant)).toBeUndefined();
    expect((await signedTree()).size).toBe(300);
    const forged = { event: await idAt(299), size: undefined };
    const proof = await inclusionOf(log.deps, tenant, forged).catch(() => undefined);
    expect(proof === undefined || !isIncluded(sha256, { ...proof, root: (await signedTree()).root })).toBe(
      true,
    );
  });

  test("L06 leaves that changed places, chain and all, do not give the root that was signed", async () => {
    await log.tamper(
      `update audit_chain set leaf = sha256(leaf) where tenant_id = '${tenant}' and seq = 280`,
    );
    expect(await brokenAt()).toBe(280);
    await log.record(tenant);
    await sequence(log.deps, tenant);
    expect(await signCheckpoint(log.deps, tenant)).toBeUndefined();
  });

  test("L02 a leaf that is gone proves nothing", async () => {
    const event = await idAt(0);
    await log.tamper(`delete from audit_chain where tenant_id = '${tenant}' and seq = 290`);
    await expect(inclusionOf(log.deps, tenant, { event, size: undefined })).rejects.toMatchObject({
      code: "audit_log_broken",
    });
  });

  test("L10 UPDATE, DELETE and TRUNCATE of the tree are refused by the database, for its owner too", async () => {
    for (const statement of [
      "update audit_tree set level = 2",
      "delete from audit_tree",
      "truncate audit_tree",
    ])
      await expect(log.database.asAdmin(statement)).rejects.toThrow("append-only");
  });

  test("a note that somebody else signed, or of another log, is no checkpoint", async () => {
    const { note } = await newestCheckpoint(log.deps, tenant);
    const keys = log.deps.keys.publicKeys("audit").map(({ jwk }) => jwk);
    const origin = originOf(log.deps, tenant);
    const read = (text: string, of = origin, by = keys): unknown =>
      settle(examineTreeCheckpoint(sha256, text, { origin: of, keys: by }));
    expect(() => read(note.replace("\n300\n", "\n301\n"))).toThrow();
    expect(() => read(note, originOf(log.deps, newId("tenant")))).toThrow("another log");
    expect(() => read(note, origin, [])).toThrow("not one of the issuer");
    expect(() => read(base64url.encode(note))).toThrow("no signed note");
  });
});
