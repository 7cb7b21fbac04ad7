import { type Id, newId } from "@remit/kernel";
import { type AuditEntry, canonicalise, isIncluded, type JsonObject } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sequence } from "../src/audit/audit.ts";
import { signCheckpoint } from "../src/audit/checkpoint.ts";
import { stapledOf } from "../src/audit/index.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";

/** As anybody computes it: RFC 6962's leaf over the canonical entry without its own hash. */
function leafOf(entry: AuditEntry): Buffer {
  const { entry_hash: _, ...rest } = entry;
  return Buffer.from(sha256(`\u0000${canonicalise(rest as JsonObject)}`));
}

let log: AuditLog;
beforeAll(async () => {
  log = await openAuditLog();
});
afterAll(() => log.close());

const captured = async (tenant: Id<"tenant">): Promise<Id<"charge">> => {
  const subject = newId("charge");
  await log.record(tenant, { subject, payload: { receipt_leaf: `leaf of ${subject}` } });
  return subject;
};
const stapled = (tenant: Id<"tenant">, subject: string) =>
  stapledOf(log.deps, tenant, { type: "charge.captured", subject });

test("a receipt's proof goes along as soon as a checkpoint covers its entry, verifies alone, and grows with the log", async () => {
  const tenant = newId("tenant");
  const first = await captured(tenant);
  expect(await stapled(tenant, first)).toBeUndefined();
  await sequence(log.deps, tenant);
  // It has its place, but nobody has signed for it yet.
  expect(await stapled(tenant, first)).toBeUndefined();
  await signCheckpoint(log.deps, tenant);
  const alone = await stapled(tenant, first);
  expect(alone).toMatchObject({ index: 0, size: 1, hashes: [] });
  for (let more = 0; more < 6; more++) await captured(tenant);
  await sequence(log.deps, tenant);
  const late = await captured(tenant);
  await signCheckpoint(log.deps, tenant);
  await sequence(log.deps, tenant);
  const proof = await stapled(tenant, first);
  expect(proof?.size).toBe(7);
  expect(proof !== undefined && isIncluded(sha256, proof)).toBe(true);
  expect(proof && leafOf(proof.entry)).toEqual(Buffer.from(proof?.leaf ?? []));
  expect(proof?.entry.payload).toEqual({ receipt_leaf: `leaf of ${first}` });
  expect(proof?.checkpoint).toContain("\n7\n");
  // The one behind the newest checkpoint has none yet.
  expect(await stapled(tenant, late)).toBeUndefined();
});

test("L01 an entry that was altered gives a proof that does not hold, or none", async () => {
  const tenant = newId("tenant");
  const charge = await captured(tenant);
  await sequence(log.deps, tenant);
  await signCheckpoint(log.deps, tenant);
  await log.tamper(
    `update audit_rows set body = replace(body, 'leaf of', 'loaf of') where tenant_id = '${tenant}'`,
  );
  const found = await stapled(tenant, charge).catch(() => undefined);
  const holds =
    found !== undefined && isIncluded(sha256, found) && leafOf(found.entry).equals(Buffer.from(found.leaf));
  expect(holds).toBe(false);
});

test("T10 what stands in another tenant's log proves nothing here, and an unknown charge nothing at all", async () => {
  const [own, other] = [newId("tenant"), newId("tenant")];
  const charge = await captured(other);
  await captured(own);
  for (const tenant of [own, other]) {
    await sequence(log.deps, tenant);
    await signCheckpoint(log.deps, tenant);
  }
  expect(await stapled(own, charge)).toBeUndefined();
  expect(await stapled(other, charge)).toBeDefined();
  expect(await stapled(own, newId("charge"))).toBeUndefined();
});
