import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, type Id, type Instant, newId } from "@remit/kernel";
import { createSigningKeys, kekOf } from "@remit/platform/keys";
import { type Database, sql, sqlTime } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { auditBodyOf, canonicalise, chainEntry, newEvent, type RemitEvent } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createFileAnchor } from "./anchor.ts";
import { allWhole, verifyAll } from "./audit.jobs.ts";
import { type AuditDeps, readEntries, sequence } from "./audit.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { createAuditRecorder } from "./recorder.ts";
import { entryById, searchOnward, searchPage } from "./search.ts";
import { type AuditRange, verifyLog } from "./verify.ts";

const clock = testClock();
const log = createLog({ service: "test", level: "silent" });
const recorder = createAuditRecorder(clock);
const record = async (tx: Parameters<typeof recorder.record>[0], event: RemitEvent): Promise<void> => {
  await recorder.record(tx, event);
};
let directory = "";
let database: TestDatabase;
let db: Database;
let deps: AuditDeps;
let tenant: Id<"tenant">;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "remit-audit-"));
  const sources = [
    { name: "authorization-server", directory: new URL("../../migrations/", import.meta.url) },
  ];
  database = await testDatabase({ service: "authorization_server", sources });
  db = database.open({ record });
  const keys = createSigningKeys({
    db,
    kek: kekOf(new Uint8Array(32).fill(7)),
    clock,
    log,
    purposes: [{ purpose: "audit", alg: "EdDSA", evidence: true, tokenLifeMsMax: 0 }],
  });
  await keys.load();
  deps = {
    db,
    keys,
    anchor: createFileAnchor(path.join(directory, "anchor")),
    clock,
    log,
    issuer: "http://localhost:3000",
  };
});

afterAll(async () => {
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  tenant = newId("tenant");
});

/** Runs SQL as somebody who owns the database and has switched its triggers off. */
function tamper(text: string, values: readonly (string | number)[] = []): Promise<unknown> {
  const filled = values.reduce<string>(
    (sql, value, index) => sql.replaceAll(`$${index + 1}`, `'${value}'`),
    text,
  );
  const each = (state: string): string =>
    ["audit_rows", "audit_chain", "audit_checkpoints"]
      .map((table) => `alter table ${table} ${state} trigger user;`)
      .join(" ");
  return database.asAdmin(`${each("disable")} ${filled}; ${each("enable")}`);
}

const eventOf = (of: Id<"tenant"> = tenant, subject: string = newId("charge")): RemitEvent =>
  newEvent(
    "charge.captured",
    { tenant: of, actor: { type: "system", id: "test" }, subject, payload: { amount_minor: 1000 } },
    clock.now(),
  );

const recordOne = (event: RemitEvent = eventOf(), pool: Database = db): Promise<void> =>
  pool.of(tenant).transaction((tx) => tx.record(event));

const fail = (): never => {
  throw new Error("there is such an entry");
};

/** Ten entries in the chain, a checkpoint over the first eight. */
async function tenEntries(): Promise<void> {
  for (let i = 0; i < 8; i++) await recordOne();
  await sequence(deps, tenant);
  await signCheckpoint(deps, tenant);
  for (let i = 0; i < 2; i++) await recordOne();
  await sequence(deps, tenant);
}

test("an untouched log verifies, entry by entry, up to its head", async () => {
  await tenEntries();
  expect(await verifyLog(deps, tenant)).toMatchObject({ verified: true, checkedCount: 10, headSeq: 10 });
});

test("an event recorded twice stands in the log once", async () => {
  const event = eventOf();
  await recordOne(event);
  await recordOne(event);
  expect(await sequence(deps, tenant)).toBe(1);
});

test("L11 when the event cannot be recorded, the change is rolled back with it", async () => {
  const event = eventOf();
  const failing = database.open({ record: () => Promise.reject(new Error("no room for the log")) });
  const change = failing.of(tenant).transaction(async (tx) => {
    await recorder.record(tx, event);
    await tx.record(event);
  });
  await expect(change).rejects.toThrow("no room for the log");
  expect(await sequence(deps, tenant)).toBe(0);
});

test("L11 a change that rolls back leaves no event", async () => {
  const change = db.of(tenant).transaction(async (tx) => {
    await tx.record(eventOf());
    throw new Error("changed our mind");
  });
  await expect(change).rejects.toThrow("changed our mind");
  expect(await sequence(deps, tenant)).toBe(0);
});

test("C18 1,000 appends from three processes' pools make one chain without a gap or a fork", async () => {
  const pools = [db, database.open({ record }), database.open({ record })];
  let left = 1000;
  // Eight writers a process: more would wait for a connection longer than a request may.
  const appends = Array.from({ length: 24 }, async (_, writer) => {
    while (left-- > 0) await recordOne(eventOf(), pools[writer % 3]);
  });
  const sequencers = pools.map((pool) => sequence({ ...deps, db: pool }, tenant));
  await Promise.all([...appends, ...sequencers]);
  await Promise.all(pools.map((pool) => sequence({ ...deps, db: pool }, tenant)));
  const entries = await readEntries(db, tenant, { after: 0, limit: 2000 });
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  expect(await verifyLog(deps, tenant)).toMatchObject({ verified: true, checkedCount: 1000 });
});

test("a tenant sees nothing of another tenant's log", async () => {
  await tenEntries();
  expect(await readEntries(db, newId("tenant"), { after: 0, limit: 100 })).toEqual([]);
});

describe("the database itself refuses", () => {
  test.each(["audit_rows", "audit_chain", "audit_checkpoints"])(
    "L10 UPDATE, DELETE and TRUNCATE of %s, for its owner too",
    async (table) => {
      await tenEntries();
      for (const statement of [
        `update ${table} set tenant_id = tenant_id`,
        `delete from ${table}`,
        `truncate ${table} cascade`,
      ])
        await expect(database.asAdmin(statement)).rejects.toThrow();
    },
  );
});

describe("whoever owns the database is found out", () => {
  beforeEach(tenEntries);

  const broken = async (seq: number): Promise<void> => {
    const verdict = await verifyLog(deps, tenant);
    expect(verdict.verified).toBe(false);
    expect(verdict.brokenAt?.seq).toBe(seq);
  };
  /** Neither the log's own signature nor the next hour makes it whole again, and the witness is left as it was. */
  const staysBroken = async (seq: number): Promise<void> => {
    const kept = await deps.anchor.last(tenant);
    expect(await signCheckpoint(deps, tenant)).toBeUndefined();
    const found = await db.single.maybe(
      sql`select broken_seq::int as seq from audit_verifications where tenant_id = ${tenant}`,
    );
    expect(found).toEqual({ seq });
    expect(await deps.anchor.last(tenant)).toBe(kept);
    await broken(seq);
  };
  const rowAt =
    "event_id = (select event_id from audit_chain where tenant_id = $1 and seq = $2) and tenant_id = $1";

  test.each([
    ["amount", "amount_minor", "amount_minor_"],
    ["tenant", "tenant_id", "tenant_ix"],
    ["event", "charge.captured", "charge.refunded"],
    ["actor", '"system"', '"agent"'],
    ["retention", "soc2-7y", "soc2-1y"],
  ])("L01 an UPDATE of the %s in a body is found at its place", async (_what, from, to) => {
    await tamper(`update audit_rows set body = replace(body, '${from}', '${to}') where ${rowAt}`, [
      tenant,
      4,
    ]);
    await broken(4);
  });

  test("L01 a body changed together with its digest is found at its place", async () => {
    await tamper(
      `update audit_rows set body = replace(body, '1000', '9000'), digest = sha256(convert_to(replace(body, '1000', '9000'), 'UTF8')) where ${rowAt}`,
      [tenant, 4],
    );
    await broken(4);
  });

  test.each(["prev_hash", "entry_hash"])(
    "L01 an UPDATE of %s in the chain is found at its place",
    async (column) => {
      await tamper(`update audit_chain set ${column} = repeat('B', 43) where tenant_id = $1 and seq = $2`, [
        tenant,
        4,
      ]);
      await broken(4);
    },
  );

  test.each(["{", "null", "[]"])(
    "L01 a body %s that cannot be read breaks the log, not its verification",
    async (body) => {
      await tamper(
        `update audit_rows set body = '${body}', digest = sha256(convert_to('${body}', 'UTF8')) where ${rowAt}`,
        [tenant, 4],
      );
      await broken(4);
    },
  );

  test("L02 a DELETE of one entry is found", async () => {
    await tamper("delete from audit_chain where tenant_id = $1 and seq = 5", [tenant]);
    await broken(5);
  });

  test("L02 a DELETE of the first entry is found", async () => {
    await tamper("delete from audit_chain where tenant_id = $1 and seq = 1", [tenant]);
    await broken(1);
  });

  test("L02 a DELETE of a range is found", async () => {
    await tamper("delete from audit_chain where tenant_id = $1 and seq between 3 and 6", [tenant]);
    await broken(3);
  });

  test.each([
    ["event", "'charge.refused'"],
    ["subject", "'chg_another'"],
    ["at", "at - interval '1 year'"],
  ])(
    "L01 an entry filed under another %s than its body's, so that no search finds it, is found",
    async (column, to) => {
      await tamper(`update audit_rows set ${column} = ${to} where ${rowAt}`, [tenant, 4]);
      await broken(4);
    },
  );

  test("L01 an UPDATE of a leaf is found at its place", async () => {
    await tamper("update audit_chain set leaf = sha256(leaf) where tenant_id = $1 and seq = $2", [tenant, 4]);
    await broken(4);
  });

  test("L03 a tail cut with its rows, its checkpoints and the head set back is found by the checkpoint kept outside", async () => {
    await tamper("delete from audit_checkpoints where tenant_id = $1", [tenant]);
    await tamper(
      `create temporary table gone as select event_id from audit_chain where tenant_id = $1 and seq > 5;
       delete from audit_chain where tenant_id = $1 and seq > 5;
       delete from audit_rows where tenant_id = $1 and event_id in (select event_id from gone); drop table gone;
       update audit_heads set checkpoint_seq = 0, (seq, entry_hash) =
         (select seq, entry_hash from audit_chain where tenant_id = $1 and seq = 5) where tenant_id = $1`,
      [tenant],
    );
    await broken(6);
    await staysBroken(6);
    for (let i = 0; i < 6; i++) await recordOne();
    await sequence(deps, tenant);
    await staysBroken(8);
  });

  test("L03 a log restored from an older backup is signed again only when an operator put the witness aside", async () => {
    await tamper("delete from audit_checkpoints where tenant_id = $1", [tenant]);
    await tamper("delete from audit_chain where tenant_id = $1", [tenant]);
    await tamper("delete from audit_rows where tenant_id = $1", [tenant]);
    await tamper("delete from audit_heads where tenant_id = $1", [tenant]);
    await recordOne();
    await sequence(deps, tenant);
    await staysBroken(2);
    await rename(path.join(directory, "anchor", `${tenant}.jws`), path.join(directory, `${tenant}.jws`));
    expect(await signCheckpoint(deps, tenant)).toBeDefined();
    expect(await verifyLog(deps, tenant)).toMatchObject({ verified: true, headSeq: 1 });
  });

  test("L03 a witness that cannot be read, or another tenant's, is not gone on without", async () => {
    const file = path.join(directory, "anchor", `${tenant}.jws`);
    const own = (await deps.anchor.last(tenant)) ?? fail();
    await rm(file);
    await mkdir(file);
    expect(await signCheckpoint(deps, tenant)).toBeUndefined();
    await broken(0);
    await rm(file, { recursive: true });
    tenant = newId("tenant");
    await tenEntries();
    await deps.anchor.keep(tenant, own);
    await staysBroken(8);
  });

  test("L05 an entry chained on behind the end of the log is found", async () => {
    await tamper(
      `insert into audit_rows select tenant_id, 'evt_forged', at, event, subject, replace(body, event_id, 'evt_forged'),
         sha256(convert_to(replace(body, event_id, 'evt_forged'), 'UTF8')) from audit_rows where ${rowAt}`,
      [tenant, 10],
    );
    const [last] = await readEntries(db, tenant, { after: 9, limit: 1 });
    const { seq, entry_hash, sig_chain_head_seq, sig_chain_head_jti, prev_hash: _, ...body } = last ?? fail();
    const link = { seq: seq + 1, prev_hash: entry_hash, sig_chain_head_seq, sig_chain_head_jti };
    // The id of a forged row is no id of ours.
    const forged = chainEntry(sha256, { ...body, id: "evt_forged" as typeof body.id }, link);
    await tamper(
      `insert into audit_chain values ($1, 11, 'evt_forged', '${entry_hash}', '${forged.entry.entry_hash}',
         ${sig_chain_head_seq}, '${sig_chain_head_jti}', '\\x${Buffer.from(forged.leaf).toString("hex")}')`,
      [tenant],
    );
    await broken(11);
  });

  test("L03 a tail cut below the last signed checkpoint is found", async () => {
    await tamper("delete from audit_chain where tenant_id = $1 and seq > 7", [tenant]);
    await broken(8);
  });

  test("L03 a tail cut with its checkpoints is found by the checkpoint kept outside", async () => {
    await tamper("delete from audit_chain where tenant_id = $1 and seq > 5", [tenant]);
    await tamper("delete from audit_checkpoints where tenant_id = $1", [tenant]);
    await broken(6);
  });

  test("L03 rows whose place was removed from the chain are found", async () => {
    await tamper("delete from audit_chain where tenant_id = $1 and seq > 9", [tenant]);
    await broken(10);
  });

  test("L04 two entries that changed places are found", async () => {
    await tamper("update audit_chain set seq = 100 where tenant_id = $1 and seq = 3", [tenant]);
    await tamper("update audit_chain set seq = 3 where tenant_id = $1 and seq = 4", [tenant]);
    await tamper("update audit_chain set seq = 4 where tenant_id = $1 and seq = 100", [tenant]);
    await broken(3);
  });

  test("L05 a forged row that the log never took is found", async () => {
    const text = `insert into audit_rows select tenant_id, 'evt_forged', at, event, subject, body, digest from audit_rows where ${rowAt}`;
    await tamper(text, [tenant, 1]);
    await broken(11);
  });

  test("L06 a chain recomputed from a changed entry on differs from the signed checkpoint", async () => {
    await tamper("delete from audit_chain where tenant_id = $1", [tenant]);
    await tamper(
      "update audit_rows set body = replace(body, '1000', '9000'), digest = sha256(convert_to(replace(body, '1000', '9000'), 'UTF8')) where tenant_id = $1",
      [tenant],
    );
    await tamper("delete from audit_heads where tenant_id = $1", [tenant]);
    await tamper("insert into audit_queue select tenant_id, event_id from audit_rows where tenant_id = $1", [
      tenant,
    ]);
    await sequence(deps, tenant);
    await broken(8);
    await tamper("delete from audit_checkpoints where tenant_id = $1", [tenant]);
    await staysBroken(8);
  });

  test("a checkpoint that somebody else signed is found", async () => {
    await tamper("update audit_checkpoints set jws = jws || 'A' where tenant_id = $1", [tenant]);
    expect((await verifyLog(deps, tenant)).verified).toBe(false);
  });
});

describe("a row that is not what was recorded gets no place, and keeps none from the others", () => {
  const waiting = "audit_rows where tenant_id = $1 and event_id = $2";
  const digestOf = (body: string): string => `digest = sha256(convert_to(${body}, 'UTF8'))`;

  test.each([
    ["a body that is no JSON", `body = '{', ${digestOf("'{'")}`, "the entry cannot be read"],
    ["a body that was changed", "body = replace(body, '1000', '9000')", "the entry was changed"],
    [
      "another tenant's body",
      `body = replace(body, tenant_id, 'ten_other'), ${digestOf("replace(body, tenant_id, 'ten_other')")}`,
      "the entry belongs to another tenant",
    ],
    ["a row under another event", "event = 'charge.refused'", "the entry is filed as something else"],
  ])("L01 %s", async (_what, change, reason) => {
    const [first, poisoned, last] = [eventOf(), eventOf(), eventOf()];
    for (const event of [first, poisoned, last]) await recordOne(event);
    await tamper(`update ${waiting.replace("where", `set ${change} where`)}`, [tenant, poisoned.id]);
    expect(await sequence(deps, tenant)).toBe(2);
    const entries = await readEntries(db, tenant, { after: 0, limit: 10 });
    expect(entries.map(({ id }) => id).toSorted()).toEqual([first.id, last.id].toSorted());
    const verdict = await verifyLog(deps, tenant);
    expect(verdict.brokenAt?.reason).toContain(`${poisoned.id} got no place in the chain: ${reason}`);
    await recordOne();
    expect(await sequence(deps, tenant)).toBe(1);
  });

  test("L02 a row deleted before it got its place is missed", async () => {
    const event = eventOf();
    await recordOne(event);
    await tamper(`delete from ${waiting}`, [tenant, event.id]);
    await recordOne();
    expect(await sequence(deps, tenant)).toBe(1);
    expect((await verifyLog(deps, tenant)).brokenAt?.reason).toContain(event.id);
  });

  test("L05 an entry that is put in the queue a second time keeps its place, and the log holds", async () => {
    await tenEntries();
    await database.asAdmin(
      `insert into audit_queue select tenant_id, event_id from audit_chain where tenant_id = '${tenant}' and seq = 3`,
    );
    await recordOne();
    expect(await sequence(deps, tenant)).toBe(1);
    expect(await verifyLog(deps, tenant)).toMatchObject({ verified: true, checkedCount: 11 });
  });

  test("L01 once mended by the owner, it gets its place and the log holds again", async () => {
    const event = eventOf();
    await recordOne(event);
    await tamper(`update audit_rows set event = 'charge.refused' where tenant_id = $1 and event_id = $2`, [
      tenant,
      event.id,
    ]);
    expect(await sequence(deps, tenant)).toBe(0);
    await tamper(
      `update audit_rows set event = 'charge.captured' where tenant_id = $1 and event_id = $2;
       with mended as (delete from audit_set_aside where tenant_id = $1 returning tenant_id, event_id)
       insert into audit_queue select tenant_id, event_id from mended`,
      [tenant, event.id],
    );
    expect(await sequence(deps, tenant)).toBe(1);
    expect(await verifyLog(deps, tenant)).toMatchObject({ verified: true, checkedCount: 1 });
  });

  test.each(["{", "null", "[]", "{}"])(
    "L01 a search shows the others, and where a body %s stands instead of an entry",
    async (body) => {
      await tenEntries();
      await tamper(
        `update audit_rows set body = '${body}' where tenant_id = $1
           and event_id = (select event_id from audit_chain where tenant_id = $1 and seq = 4)`,
        [tenant],
      );
      for (const found of [
        await searchOnward(deps, tenant, { filter: {}, after: 0, limit: 10 }),
        await searchPage(deps, tenant, { filter: {}, page: 1, limit: 10 }),
      ]) {
        expect(found.entries).toHaveLength(9);
        expect(found.gaps).toMatchObject([{ seq: 4, missing: "unreadable" }]);
      }
      const [gap] = (await searchOnward(deps, tenant, { filter: {}, after: 3, limit: 1 })).gaps;
      // The id of a place stands in the database.
      const asked = entryById(deps, tenant, gap?.id as Id<"event">);
      await expect(asked).rejects.toMatchObject({ code: "audit_log_broken" });
    },
  );
});

describe("a range of time", () => {
  const hour = 3_600_000;
  const spanOf = (from: number, before: number): AuditRange => ({
    from: after(begun, from),
    before: after(begun, before),
  });
  let begun: Instant;

  /** Three entries an hour, signed, for four hours. */
  beforeEach(async () => {
    begun = clock.now();
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 3; j++) await recordOne();
      await sequence(deps, tenant);
      await signCheckpoint(deps, tenant);
      clock.advance(hour);
    }
  });

  test("is verified between the signed checkpoints around it, and nothing else is read", async () => {
    const verdict = await verifyLog(deps, tenant, spanOf(0.9 * hour, 1.5 * hour));
    expect(verdict).toMatchObject({ verified: true, headSeq: 9, checkedCount: 6 });
    expect(await verifyLog(deps, tenant)).toMatchObject({ verified: true, checkedCount: 12 });
  });

  test("L01 a change within it is found, one before it is left to the whole", async () => {
    const change = (seq: number): Promise<unknown> =>
      tamper(
        "update audit_rows set body = replace(body, '1000', '9000') where event_id = (select event_id from audit_chain where tenant_id = $1 and seq = $2) and tenant_id = $1",
        [tenant, seq],
      );
    await change(2);
    const second = spanOf(0.9 * hour, 1.5 * hour);
    expect((await verifyLog(deps, tenant, second)).verified).toBe(true);
    expect((await verifyLog(deps, tenant)).brokenAt?.seq).toBe(2);
    await change(5);
    const { verified, brokenAt, checkedCount } = await verifyLog(deps, tenant, second);
    expect({ verified, seq: brokenAt?.seq, checkedCount }).toEqual({
      verified: false,
      seq: 5,
      checkedCount: 1,
    });
    const [, , , , entry] = await readEntries(db, tenant, { after: 0, limit: 5 });
    expect(brokenAt?.eventId).toBe(entry?.id);
  });

  test("L03 a checkpoint whose time was moved, so that a range misses what it holds, is found", async () => {
    await tamper(
      "update audit_checkpoints set signed_at = signed_at - interval '1 day' where tenant_id = $1",
      [tenant],
    );
    expect((await verifyLog(deps, tenant, spanOf(0.9 * hour, 1.5 * hour))).verified).toBe(false);
  });

  test("L01 a change of an entry that a peer reported hours later is found in the range of its time", async () => {
    await recordOne({ ...eventOf(), at: after(begun, 1.2 * hour) });
    await sequence(deps, tenant);
    await signCheckpoint(deps, tenant);
    const second = spanOf(0.9 * hour, 1.5 * hour);
    expect(await verifyLog(deps, tenant, second)).toMatchObject({ verified: true, headSeq: 13 });
    await tamper(
      "update audit_rows set body = replace(body, '1000', '9000') where event_id = (select event_id from audit_chain where tenant_id = $1 and seq = 13) and tenant_id = $1",
      [tenant],
    );
    expect((await verifyLog(deps, tenant, second)).brokenAt?.seq).toBe(13);
    expect(await verifyLog(deps, tenant, spanOf(1.9 * hour, 2.5 * hour))).toMatchObject({ verified: true });
  });

  test("L01 an entry that got its place before its time is in the range of its time", async () => {
    await recordOne({ ...eventOf(), at: after(begun, 9 * hour) });
    await sequence(deps, tenant);
    await signCheckpoint(deps, tenant);
    clock.advance(4 * hour);
    for (let i = 0; i < 2; i++) await recordOne();
    await sequence(deps, tenant);
    await signCheckpoint(deps, tenant);
    const ninth = { from: after(begun, 8.9 * hour) };
    expect(await verifyLog(deps, tenant, ninth)).toMatchObject({ verified: true, checkedCount: 3 });
  });

  test("L03 without the checkpoints around it the range is only wider", async () => {
    await tamper("delete from audit_checkpoints where tenant_id = $1 and head_seq in (3, 9)", [tenant]);
    expect(await verifyLog(deps, tenant, spanOf(0.9 * hour, 1.5 * hour))).toMatchObject({
      verified: true,
      checkedCount: 12,
    });
  });
});

test("the hourly verification says of each log whether it holds, and again when it does", async () => {
  await tenEntries();
  const found = async (): Promise<unknown> => {
    await verifyAll(deps);
    return db.single.maybe(
      sql`select head_seq::int, broken_seq::int from audit_verifications where tenant_id = ${tenant}`,
    );
  };
  expect(await found()).toEqual({ head_seq: 10, broken_seq: null });
  await tamper("update audit_chain set leaf = sha256(leaf) where tenant_id = $1 and seq = 4", [tenant]);
  expect(await found()).toEqual({ head_seq: 3, broken_seq: 4 });
});

test("L01 no word of two hours ago says that the logs are whole", async () => {
  await tenEntries();
  await db.single.run(sql`delete from audit_verifications`);
  const at = sql`insert into audit_verifications (tenant_id, at, head_seq) values (${tenant}, ${sqlTime(clock.now())}, 10)`;
  await db.single.run(at);
  expect(await allWhole(deps)).toBe(true);
  clock.advance(7_200_001);
  expect(await allWhole(deps)).toBe(false);
});

test("L09 what one member ends with is not what the next begins with", () => {
  const event = eventOf();
  const of = (subject: string, id: string): string =>
    canonicalise(auditBodyOf({ ...event, subject, actor: { type: "system", id } }, 0n));
  expect(of("ab", "c")).not.toBe(of("a", "bc"));
});

test("events of several tenants that are recorded together stand each in its own tenant's log, and nowhere twice", async () => {
  const others = [newId("tenant"), newId("tenant")];
  const events = [...others, ...others, tenant].map((of) => eventOf(of));
  const rows = recorder.rowsOf(events);
  for (let i = 0; i < 2; i++) await db.single.run(sql`select record_audit_rows(${rows}::jsonb)`);
  for (const of of [...others, tenant]) {
    await sequence(deps, of);
    const entries = await readEntries(db, of, { after: 0, limit: 10 });
    const own = events.filter((event) => event.tenant === of).map(({ id }) => id);
    expect(entries.map(({ id }) => id).toSorted()).toEqual(own.toSorted());
  }
});
