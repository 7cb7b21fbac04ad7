import { type Id, minuteMs, newId } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { examineTreeCheckpoint, isConsistent, newEvent, type TreeCheckpoint } from "@remit/protocol";
import { settle, sha256 } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sequence } from "../src/audit/audit.ts";
import { originOf, signCheckpoint } from "../src/audit/checkpoint.ts";
import { createAuditRecorder } from "../src/audit/index.ts";
import { consistencyOf, newestCheckpoint } from "../src/audit/proofs.ts";
import { verifyLog } from "../src/audit/verify.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";

let log: AuditLog;
let tenant: Id<"tenant">;

beforeAll(async () => {
  log = await openAuditLog();
});
afterAll(() => log.close());
beforeEach(() => {
  tenant = newId("tenant");
});

/** More entries in the chain; true when they were signed. */
async function grow(count: number): Promise<boolean> {
  const actor = { type: "system", id: "test" } as const;
  const events = Array.from({ length: count }, () =>
    newEvent("charge.captured", { tenant, actor, subject: newId("charge"), payload: {} }, log.clock.now()),
  );
  const rows = createAuditRecorder(log.clock).rowsOf(events);
  await log.db.single.run(sql`select record_audit_rows(${rows}::jsonb)`);
  await sequence(log.deps, tenant);
  return (await signCheckpoint(log.deps, tenant)) !== undefined;
}

/** What an auditor reads who keeps the note: its signature is verified with the published keys. */
async function noted(): Promise<TreeCheckpoint> {
  const { note } = await newestCheckpoint(log.deps, tenant);
  const keys = log.deps.keys.publicKeys("audit").map(({ jwk }) => jwk);
  return settle(examineTreeCheckpoint(sha256, note, { origin: originOf(log.deps, tenant), keys }));
}

const tables = [
  "audit_rows",
  "audit_queue",
  "audit_chain",
  "audit_heads",
  "audit_checkpoints",
  "audit_tree",
  "audit_verifications",
];

/** The log's tables as they are now; the way back to them. */
async function backup(): Promise<() => Promise<unknown>> {
  const name = `kept_${newId("request")}`;
  const copies = tables.map(
    (table) => `create table ${name}_${table} as table ${table} with no data;
      insert into ${name}_${table} select * from ${table} where tenant_id = '${tenant}'`,
  );
  await log.database.asAdmin(copies.join(";"));
  const gone = tables.toReversed().map((table) => `delete from ${table} where tenant_id = '${tenant}'`);
  const back = tables.map(
    (table) => `insert into ${table} overriding system value select * from ${name}_${table}`,
  );
  return () => log.tamper([...gone, ...back].join(";"));
}

/** Whether the log that is there now can prove that it began as that one, or was there before it. */
async function isOneLog(seen: TreeCheckpoint): Promise<boolean> {
  const now = await noted();
  const [first, second] = seen.size <= now.size ? [seen, now] : [now, seen];
  const sizes = { first: first.size, second: second.size };
  const proof = await consistencyOf(log.deps, tenant, sizes).catch(() => undefined);
  return proof !== undefined && isConsistent(sha256, { first, second, hashes: proof.hashes });
}

describe("L07 an old backup of the database is found out", () => {
  test("L07 restored, it ends before what is kept outside, and is signed no more, however much is added", async () => {
    await grow(3);
    const restore = await backup();
    await grow(5);
    const seen = await noted();
    expect(await isOneLog(seen)).toBe(true);
    await restore();
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: false, brokenAt: { seq: 4 } });
    expect(await isOneLog(seen)).toBe(false);
    for (const added of [1, 4, 10]) {
      expect(await grow(added)).toBe(false);
      expect((await noted()).size).toBe(3);
      expect(await isOneLog(seen)).toBe(false);
    }
    expect((await verifyLog(log.deps, tenant)).verified).toBe(false);
  });

  test("L07 restored together with what was kept outside, it cannot prove to an auditor that it is the log of before", async () => {
    await grow(3);
    const restore = await backup();
    const outside = await log.deps.anchor.last(tenant);
    await grow(5);
    const seen = await noted();
    await restore();
    await log.deps.anchor.keep(tenant, outside ?? "");
    expect(await grow(9)).toBe(true);
    expect((await verifyLog(log.deps, tenant)).verified).toBe(true);
    expect(await isOneLog(seen)).toBe(false);
  });
});

describe("L08 two auditors who were shown two logs find out by showing each other their notes", () => {
  test.each([5, 6, 9])(
    "L08 one with 8 entries and one with 3 and %i others, both signed, are not one log",
    async (others) => {
      await grow(3);
      const restore = await backup();
      const outside = await log.deps.anchor.last(tenant);
      await grow(5);
      const shownToOne = await noted();
      await restore();
      await log.deps.anchor.keep(tenant, outside ?? "");
      await grow(others);
      const shownToOther = await noted();
      expect([shownToOne.size, shownToOther.size]).toEqual([8, 3 + others]);
      expect(await isOneLog(shownToOne)).toBe(false);
      expect(await isOneLog(shownToOther)).toBe(true);
    },
  );

  test("L08 who has the database alone gets no second log signed to show", async () => {
    await grow(3);
    const restore = await backup();
    await grow(5);
    await restore();
    expect(await grow(6)).toBe(false);
    expect((await noted()).size).toBe(3);
  });
});

describe("L13 checkpoints go on when the key that signed them is gone", () => {
  const signer = async () => JSON.parse(Buffer.from(await kept(), "base64url").toString()).signer_kid;
  const kept = async (): Promise<string> => (await log.deps.anchor.last(tenant))?.split(".")[1] ?? "";
  const moved = async (ms: number) => {
    log.clock.advance(ms);
    await log.deps.keys.reload();
  };

  test("L13 rotated, the next one signs the same tree further, and both signatures are verified", async () => {
    await grow(3);
    const [first, before] = [await signer(), await noted()];
    await log.deps.keys.rotate("audit");
    await moved(10 * minuteMs);
    expect(await grow(4)).toBe(true);
    expect(await signer()).not.toBe(first);
    expect(await isOneLog(before)).toBe(true);
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true, checkedCount: 7 });
    const known = log.deps.keys.publicKeys("audit").map(({ jwk }) => jwk.kid);
    expect(known).toEqual(expect.arrayContaining([first, await signer()]));
  });

  test("L13 lost, another one signs at once, and what the lost one signed stays evidence of its time", async () => {
    await grow(3);
    const [lost, before] = [await signer(), await noted()];
    await log.deps.keys.revoke(lost, { reason: "key_lost", by: "operator" });
    expect(await grow(4)).toBe(true);
    expect(await signer()).not.toBe(lost);
    expect(await isOneLog(before)).toBe(true);
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true, checkedCount: 7 });
    const [ended] = log.deps.keys.publicKeys("audit").filter(({ jwk }) => jwk.kid === lost);
    expect(ended).toMatchObject({ reason: "key_lost", notAfter: expect.any(Number) });
  });
});
