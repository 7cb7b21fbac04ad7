import { after, dayMs, hourMs, type Id, newId, toRfc3339 } from "@remit/kernel";
import { createJobs, enqueue } from "@remit/platform/jobs";
import { asOwner } from "@remit/platform/sql";
import { checkpointTyp, isIncluded, type RemitEvent } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sequence } from "../src/audit/audit.ts";
import { signCheckpoint } from "../src/audit/checkpoint.ts";
import { inclusionOf } from "../src/audit/proofs.ts";
import { removalJobs } from "../src/audit/removals.jobs.ts";
import { sayExpired } from "../src/audit/removals.ts";
import { entryById, searchOnward } from "../src/audit/search.ts";
import { verifyLog } from "../src/audit/verify.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";

let log: AuditLog;
let tenant: Id<"tenant">;
let events: RemitEvent[];

beforeAll(async () => {
  log = await openAuditLog();
});
afterAll(() => log.close());

const yearsAgo = (years: number) => after(log.clock.now(), -years * 366 * dayMs);
const owner = (statement = "call expire_audit_bodies()"): Promise<void> => {
  const { migrationUrl: url, schema, ownerRole: role } = log.database;
  return asOwner({ url, schema, role }, statement);
};

/** Of eight years ago, one of them of a mandate; of eleven years ago, a mandate's; and of today. All signed. */
beforeEach(async () => {
  tenant = newId("tenant");
  const eidas = { type: "mandate.issued", retention: "eidas-10y" } as const;
  events = [];
  for (const given of [
    { at: yearsAgo(8) },
    { at: yearsAgo(8) },
    { at: yearsAgo(8), ...eidas },
    { at: yearsAgo(11), ...eidas },
    {},
  ]) {
    events.push(await log.record(tenant, given));
    await sequence(log.deps, tenant);
  }
  await signCheckpoint(log.deps, tenant);
});

const expire = async (): Promise<number> => {
  const { said } = await sayExpired(log.deps, "cli_operator");
  await owner();
  return said;
};
const shown = () => searchOnward(log.deps, tenant, { filter: {}, after: 0, limit: 20 });
const bodies = (): Promise<{ seq: number; there: boolean }[]> =>
  log.database.asAdmin(
    `select seq::int, body is not null as there from audit_chain join audit_rows using (tenant_id, event_id)
     where tenant_id = '${tenant}' order by seq`,
  );

describe("what was kept for seven years, or ten for what proves a mandate", () => {
  test("is removed, its place and leaf stay, the log says so and still verifies", async () => {
    expect(await expire()).toBe(3);
    expect((await bodies()).map(({ there }) => there)).toEqual([false, false, true, false, true, true]);
    const { entries, gaps } = await shown();
    expect(entries.map(({ event }) => event)).toEqual(["mandate.issued", "charge.captured", "audit.expired"]);
    const said = entries.at(-1);
    expect(gaps.map(({ seq, missing, removed_by }) => [seq, missing, removed_by])).toEqual(
      [1, 2, 4].map((seq) => [seq, "removed", said?.id]),
    );
    expect(said?.payload).toMatchObject({ count: 3, first_seq: 1, last_seq: 4 });
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true, checkedCount: 6 });
    const proof = await inclusionOf(log.deps, tenant, {
      event: events[0]?.id ?? newId("event"),
      size: undefined,
    });
    expect(proof && isIncluded(sha256, proof)).toBe(true);
    await expect(entryById(log.deps, tenant, events[0]?.id ?? newId("event"))).rejects.toMatchObject({
      code: "audit_event_removed",
    });
  });

  test("leaves no word of what it was in the database", async () => {
    await expire();
    const left = await log.database.asAdmin(
      `select to_jsonb(r)::text as row from audit_rows r where tenant_id = '${tenant}' and body is null`,
    );
    expect(left).toHaveLength(3);
    for (const word of ["charge", "mandate", "amount_minor"])
      expect(JSON.stringify(left)).not.toContain(word);
  });

  test("is verified in a range that ends at a checkpoint of an older version, which names no root", async () => {
    await expire();
    const [third] = (await shown()).entries;
    const signed_at = toRfc3339(after(log.clock.now(), -hourMs));
    const says = { v: 1, iss: log.deps.issuer, jti: newId("checkpoint"), tenant_id: tenant, head_seq: 3 };
    const payload = { ...says, head_entry_hash: third?.entry_hash ?? "", signed_at, signer_kid: "old" };
    const jws = await log.deps.keys.sign("audit", { typ: checkpointTyp }, payload);
    await log.tamper(`insert into audit_checkpoints (tenant_id, head_seq, jti, signed_at, jws)
      values ('${tenant}', 3, '${says.jti}', '${signed_at}', '${jws}')`);
    const range = { from: yearsAgo(9), before: yearsAgo(2) };
    expect(await verifyLog(log.deps, tenant, range)).toMatchObject({ verified: true });
  });

  test("is said once, and again only for what has expired since", async () => {
    expect([await expire(), await expire()]).toEqual([3, 0]);
    await log.record(tenant, { at: yearsAgo(9) });
    await sequence(log.deps, tenant);
    await signCheckpoint(log.deps, tenant);
    expect(await expire()).toBe(1);
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true });
  });

  test("is verified in a time that grows with the log alone: each statement's signature is checked once", async () => {
    for (let each = 0; each < 60; each++) await log.record(tenant, { at: yearsAgo(8) });
    await sequence(log.deps, tenant);
    await signCheckpoint(log.deps, tenant);
    expect(await expire()).toBe(63);
    let asked = 0;
    const publicKeys: typeof log.deps.keys.publicKeys = (purpose) => {
      asked += 1;
      return log.deps.keys.publicKeys(purpose);
    };
    const keys = Object.assign(Object.create(log.deps.keys) as typeof log.deps.keys, { publicKeys });
    expect(await verifyLog({ ...log.deps, keys }, tenant)).toMatchObject({ verified: true });
    // One statement, and the signed checkpoints; not one for each of 63 places.
    expect(asked).toBeLessThan(20);
  });

  test("is done by a job when the operator asks, window by window, and removed where the owner is known", async () => {
    const jobs = createJobs({ db: log.db, log: log.deps.log, clock: log.clock });
    let removed = 0;
    removalJobs(jobs, log.deps, async () => {
      await owner();
      removed += 1;
    });
    const job = { queue: "audit.removals", key: "all", payload: { by: "cli_operator" } };
    await log.db.global.transaction((tx) => enqueue(tx, job));
    await jobs.start();
    await eventually(async () => {
      expect(removed).toBe(1);
      expect((await bodies()).filter(({ there }) => !there)).toHaveLength(3);
    });
    await jobs.stop();
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true });
  });

  test("C18 two who say it at once say no place twice", async () => {
    const both = await Promise.all([sayExpired(log.deps, "cli_one"), sayExpired(log.deps, "cli_two")]);
    expect(both.reduce((sum, { said }) => sum + said, 0)).toBe(3);
    await owner();
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true });
  });

  test("is still there, and the log whole, when we die between the word and the deed; the next call does it", async () => {
    await sayExpired(log.deps, "cli_operator");
    expect((await bodies()).every(({ there }) => there)).toBe(true);
    expect(await verifyLog(log.deps, tenant)).toMatchObject({ verified: true });
    expect(await expire()).toBe(0);
    expect((await bodies()).filter(({ there }) => !there)).toHaveLength(3);
  });

  test("L01 stays where it is not what was recorded: it is evidence", async () => {
    await log.tamper(
      `update audit_rows set body = replace(body, '1000', '9000') where event_id = '${events[0]?.id}'`,
    );
    expect(await expire()).toBe(2);
    expect((await verifyLog(log.deps, tenant)).brokenAt).toMatchObject({
      seq: 1,
      reason: "the entry was changed",
    });
  });
});

describe("nothing else is removed", () => {
  const remove = (where: string): string =>
    `update audit_rows set body = null, event = '', subject = '' where tenant_id = '${tenant}' and ${where}`;

  test.each([
    ["what nobody has said", (): string => remove("at < now() - interval '7 years'")],
    ["another column", (): string => `update audit_rows set at = at where tenant_id = '${tenant}'`],
    ["a row", (): string => `delete from audit_rows where tenant_id = '${tenant}'`],
  ])("L10 by the owner of the database: %s", async (_what, statement) => {
    await expect(log.database.asAdmin(statement())).rejects.toThrow("append-only");
  });

  test("L10 by the owner: what was said, but is under no signature yet, or too young", async () => {
    await sayExpired(log.deps, "cli_operator");
    await expect(log.database.asAdmin(remove(`event_id = '${events[2]?.id}'`))).rejects.toThrow(
      "append-only",
    );
    const said = `insert into audit_removals select tenant_id, 5, removal from audit_removals
      where tenant_id = '${tenant}' limit 1`;
    await log.database.asAdmin(said);
    await expect(log.database.asAdmin(remove(`event_id = '${events[4]?.id}'`))).rejects.toThrow(
      "append-only",
    );
  });

  test("L10 by the application, which may not even ask", async () => {
    await sayExpired(log.deps, "cli_operator");
    const text = (sql: string) =>
      log.db.of(tenant).transaction((tx) => tx.run({ text: sql, values: [], name: "" }));
    for (const sql of [remove("true"), "call expire_audit_bodies()", "delete from audit_removals"])
      await expect(text(sql)).rejects.toThrow("permission denied");
  });

  const gone = (seq: number): string =>
    `update audit_rows set body = null, event = '', subject = '' where event_id = '${events[seq - 1]?.id}'`;

  test("L02 a body that the owner removed with the triggers off is missed", async () => {
    await log.tamper(gone(1));
    expect((await verifyLog(log.deps, tenant)).brokenAt).toMatchObject({ seq: 1 });
  });

  test("L02 so it is where the owner files it under a statement that does not name it", async () => {
    await expire();
    await log.tamper(
      `${gone(5)}; insert into audit_removals select tenant_id, 5, removal from audit_removals
         where tenant_id = '${tenant}' limit 1`,
    );
    const { brokenAt } = await verifyLog(log.deps, tenant);
    expect(brokenAt).toMatchObject({
      seq: 5,
      reason: "the entry was removed, and no signed statement says so",
    });
  });

  test("L06 a leaf that was changed after its body was removed does not give the signed root", async () => {
    await expire();
    await log.tamper(`update audit_chain set leaf = sha256(leaf) where tenant_id = '${tenant}' and seq = 1`);
    expect((await verifyLog(log.deps, tenant)).verified).toBe(false);
  });

  test("L02 a removed place that was taken out of the chain is missed", async () => {
    await expire();
    await log.tamper(`alter table audit_removals disable trigger user;
      delete from audit_removals where tenant_id = '${tenant}' and seq = 2;
      alter table audit_removals enable trigger user;
      delete from audit_chain where tenant_id = '${tenant}' and seq = 2`);
    expect((await verifyLog(log.deps, tenant)).brokenAt?.seq).toBe(2);
  });
});
