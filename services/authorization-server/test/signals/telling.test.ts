import { type Id, newId } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import {
  type EventPayload,
  type EventType,
  type JsonObject,
  newEvent,
  readPaymentSignal,
} from "@remit/protocol";
import { eventually, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../../src/service.ts";
import { sidFor } from "../../src/sessions/index.ts";
import { tellOnce } from "../../src/signals/fan-out.ts";

const issuer = "https://as.example";
const platform = "org_00000000000000000000000000";
const clock = testClock();

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  db = database.open({ record: recordToOutbox, poolMax: 12 });
});
afterAll(() => database?.drop());

async function tenant(): Promise<Id<"tenant">> {
  const id = newId("tenant");
  await database.asAdmin(
    "insert into tenants (tenant_id, name, kind, created_at) values ($1, 'Ours', 'company', now())",
    [id],
  );
  await database.asAdmin(
    "insert into tenant_standings (tenant_id, created_at, changed_at) values ($1, now(), now())",
    [id],
  );
  return id;
}

async function stream(of: string, wide = false): Promise<Id<"stream">> {
  const id = newId("stream");
  await database.asAdmin(
    `insert into signal_streams (tenant_id, id, client_id, wide, audience, method, created_at, updated_at)
     values ($1, $2, 'billing', $3, 'https://billing.example', 'poll', $4, $4)`,
    [of, id, wide, new Date(clock.now())],
  );
  return id;
}

type Happened = { readonly type: EventType; readonly subject: string; readonly payload?: EventPayload };
async function happen(of: Id<"tenant">, ...all: readonly Happened[]): Promise<void> {
  const actor = { type: "system", id: "test" } as const;
  await db.of(of).transaction(async (tx) => {
    for (const { type, ...facts } of all)
      await tx.record(newEvent(type, { tenant: of, actor, ...facts }, clock.now()));
  });
}

// A reader waits for every open transaction of the cluster, which other tests share.
const tellAll = (): Promise<void> =>
  eventually(async () => {
    await tellOnce({ db, clock, issuer });
    const left = await database.asAdmin(
      `select 1 from outbox o, signals_told t where (o.xid, o.seq) > (t.xid, t.seq) limit 1`,
    );
    expect(left).toEqual([]);
  });

type Row = {
  readonly seq: string;
  readonly name: string;
  readonly subject: object;
  readonly data: JsonObject;
  readonly txn: string;
};
const heardOn = (of: Id<"stream">): Promise<Row[]> =>
  database.asAdmin<Row>(
    "select seq::text, name, subject, data, txn from signals where stream_id = $1 order by seq",
    [of],
  );

/** A charge of this payer, as far as its id leads to them. */
async function chargeOf(payer: Id<"tenant">, payee: Id<"tenant">): Promise<Id<"charge">> {
  const id = newId("charge");
  const now = new Date(clock.now());
  // Without the mandate and the hold that it would be of.
  for (const of of ["tenant_id_mandate_id", "tenant_id_id"])
    await database.asAdmin(`alter table charges drop constraint if exists charges_${of}_fkey`);
  await database.asAdmin("insert into charges select * from jsonb_populate_record(null::charges, $1)", [
    JSON.stringify({
      ...Object.fromEntries(texts.map((name) => [name, "x"])),
      tenant_id: payer,
      id,
      merchant_tenant_id: payee,
      state: "authorizing",
      generation: 1,
      capture_mode: "automatic",
      commits: false,
      amount_minor: 500,
      refunded_minor: 0,
      currency: "USD",
      rail: "card",
      offer_key: {},
      token: {},
      serve_by: new Date(clock.now() + 1_000),
      capture_by: new Date(clock.now() + 1_000),
      created_at: now,
      updated_at: now,
      livemode: false,
    }),
  ]);
  return id;
}
const texts = [
  "mandate_id",
  "agent_id",
  "merchant_id",
  "merchant_client_id",
  "merchant_origin",
  "offer_evidence",
  "offer_digest",
  "offer_id",
  "mandate_hash",
  "presentation_hash",
];
describe("who hears all organizations", () => {
  test("hears of mandates of each, in one order of places, and of nothing but money", async () => {
    const [ada, bob] = [await tenant(), await tenant()];
    const all = await stream(platform, true);
    const [one, two] = [newId("mandate"), newId("mandate")];
    await happen(ada, {
      type: "mandate.revoked",
      subject: one,
      payload: { agent: newId("agent"), from: "active", because: "principal" },
    });
    await happen(
      bob,
      { type: "mandate.expired", subject: two },
      { type: "agent.suspended", subject: newId("agent") },
    );
    await tellAll();
    const heard = await heardOn(all);
    expect(heard.map(({ seq, name, subject }) => [seq, name, subject])).toEqual([
      ["1", "oid4ac.mandate.revoked", { format: "opaque", id: one }],
      ["2", "oid4ac.mandate.expired", { format: "opaque", id: two }],
    ]);
    expect(heard[0]?.data).toMatchObject({ organization_id: ada, because: "principal" });
  });

  test("hears of a charge once, from its payer's log, with the row to look up; both sides hear of their own", async () => {
    const [payer, payee] = [await tenant(), await tenant()];
    const [all, atPayer, atPayee] = [await stream(platform, true), await stream(payer), await stream(payee)];
    const charge = await chargeOf(payer, payee);
    const mandate = newId("mandate");
    const captured: Happened = {
      type: "charge.captured",
      subject: charge,
      payload: { mandate, generation: 2, amount_minor: 500, currency: "USD", payment: newId("payment") },
    };
    await happen(payee, captured);
    await happen(payer, captured);
    await tellAll();
    const heard = await heardOn(all);
    expect(heard.map(({ name }) => name)).toEqual(["oid4ac.payment.succeeded"]);
    expect(readPaymentSignal({ data: heard[0]?.data ?? {} })).toMatchObject({
      organization_id: payer,
      charge,
      operation: "capture",
      ordinal: 2,
      mandate,
      amount_minor: 500,
      currency: "USD",
    });
    for (const of of [atPayer, atPayee]) expect(await heardOn(of)).toHaveLength(1);
  });
});

test("A10 a replay is told to the organization whose client it was", async () => {
  const ours = await tenant();
  const hears = await stream(ours);
  const client = newId("agent");
  const mandate = newId("mandate");
  await happen(
    ours,
    { type: "security.code_replay", subject: client, payload: { grant: "g", mandate } },
    { type: "security.refresh_replay", subject: client, payload: { grant: "g", mandate: null } },
  );
  await tellAll();
  expect((await heardOn(hears)).map(({ name, subject }) => [name, subject])).toEqual([
    ["oid4ac.security.code_replay", { format: "opaque", id: client }],
    ["oid4ac.security.refresh_replay", { format: "opaque", id: client }],
  ]);
});

test("an agent's credentials are told as CAEP credential-change", async () => {
  const ours = await tenant();
  const hears = await stream(ours);
  const agent = newId("agent");
  const payload = { agent, kind: "secret" };
  await happen(
    ours,
    { type: "credential.created", subject: newId("credential"), payload },
    { type: "credential.rotated", subject: newId("credential"), payload },
    { type: "credential.revoked", subject: newId("credential"), payload },
  );
  await tellAll();
  expect((await heardOn(hears)).map(({ data }) => data)).toMatchObject([
    { credential_type: "secret", change_type: "create" },
    { credential_type: "secret", change_type: "update" },
    { credential_type: "secret", change_type: "revoke" },
  ]);
});

describe("what happens to a person", () => {
  const account = newId("account");
  const user = { format: "iss_sub", iss: issuer, sub: account };
  let home: Id<"tenant">;
  let company: Id<"tenant">;
  let shop: Id<"tenant">;
  let stranger: Id<"tenant">;
  let pairwise: Id<"tenant">;
  const client = newId("client");

  beforeAll(async () => {
    [home, company, shop, stranger, pairwise] = [
      await tenant(),
      await tenant(),
      await tenant(),
      await tenant(),
      await tenant(),
    ];
    await database.asAdmin(
      "insert into memberships (tenant_id, account_id, role, created_at) values ($1, $2, 'member', now())",
      [company, account],
    );
    await signedInAt(shop, [client]);
    await signedInAt(pairwise, [newId("client")], { subject_type: "pairwise" });
  });

  async function signedInAt(
    of: Id<"tenant">,
    ids: readonly Id<"client">[],
    { subject_type = "public", sid = "the-session" }: { subject_type?: string; sid?: string } = {},
  ): Promise<void> {
    await database.asAdmin(
      `insert into clients (tenant_id, id, kind, name, redirect_uris, scopes, metadata, created_at)
       select $1, id, 'application', 'App', '{}', '{openid}', $3, now() from unnest($2::text[]) as id`,
      [of, ids, JSON.stringify({ subject_type })],
    );
    await database.asAdmin(
      `insert into oauth_grants (grant_digest, client_id, account_id, tenant_id, session_sid, created_at, revoked_at)
       select 'of ' || id, id, $1, $2, $3, now(), now() from unnest($4::text[]) as id`,
      [account, home, sid, ids],
    );
  }

  test("T01 reaches those who know them and nobody else; a session by the name that each knows it by", async () => {
    const [atHome, atCompany, atShop, atStranger, atPairwise, widely] = [
      await stream(home),
      await stream(company),
      await stream(shop),
      await stream(stranger),
      await stream(pairwise),
      await stream(platform, true),
    ];
    const session = newId("session");
    const payload = { sid: "the-session", account, because: "person", grants: 1 };
    await happen(home, { type: "session.ended", subject: session, payload });
    await tellAll();
    const named = { format: "complex", user, session: { format: "opaque", id: session } };
    for (const of of [atHome, atCompany])
      expect(await heardOn(of)).toMatchObject([{ seq: "1", name: "caep.session-revoked", subject: named }]);
    expect(await heardOn(atShop)).toMatchObject([
      {
        name: "caep.session-revoked",
        subject: { ...named, session: { format: "opaque", id: sidFor("the-session", client) } },
        data: { event_timestamp: Math.floor(clock.now() / 1000), initiating_entity: "system" },
      },
    ]);
    for (const of of [atStranger, atPairwise, widely]) expect(await heardOn(of)).toEqual([]);
  });

  test("T01 that a session ended is not told where another one signed in, nor what happens where nothing given stands", async () => {
    const elsewhere = await tenant();
    await signedInAt(elsewhere, [newId("client")], { sid: "another-session" });
    const of = await stream(elsewhere);
    const payload = { sid: "the-session", account, because: "person", grants: 1 };
    await happen(
      home,
      { type: "session.ended", subject: newId("session"), payload },
      { type: "account.password_changed", subject: account },
    );
    await tellAll();
    expect(await heardOn(of)).toEqual([]);
    await database.asAdmin("update oauth_grants set revoked_at = null where session_sid = 'another-session'");
    await happen(home, { type: "account.password_changed", subject: account });
    await tellAll();
    expect(await heardOn(of)).toMatchObject([{ name: "caep.credential-change", subject: user }]);
  });

  test("the newest of many applications hears of its session as the first does", async () => {
    const many = await tenant();
    await signedInAt(
      many,
      Array.from({ length: 101 }, () => newId("client")),
      { sid: "busy" },
    );
    const of = await stream(many);
    const payload = { sid: "busy", account, because: "person", grants: 1 };
    await happen(home, { type: "session.ended", subject: newId("session"), payload });
    await tellAll();
    expect(await heardOn(of)).toHaveLength(101);
  });

  test.each<[EventType, EventPayload, string, object]>([
    [
      "account.passkey_added",
      { passkey: "p" },
      "caep.credential-change",
      { credential_type: "passkey", change_type: "create" },
    ],
    [
      "account.passkey_removed",
      { passkey: "p" },
      "caep.credential-change",
      { credential_type: "passkey", change_type: "delete" },
    ],
    [
      "account.password_changed",
      {},
      "caep.credential-change",
      { credential_type: "password", change_type: "update" },
    ],
    ["account.app_removed", {}, "caep.credential-change", { credential_type: "app", change_type: "delete" }],
    ["account.recovered", { by: "codes" }, "risc.recovery-activated", {}],
    [
      "security.passkey_copied",
      { passkey: "p" },
      "risc.credential-compromise",
      { credential_type: "passkey" },
    ],
  ])("%s is told as %s", async (type, payload, name, data) => {
    const of = await stream(company);
    await happen(home, { type, subject: account, payload });
    await tellAll();
    expect(await heardOn(of)).toMatchObject([{ name, subject: user, data }]);
  });

  test("that they are erased is told where they belonged as well, though nobody finds them there any more", async () => {
    const [atFormer, atShop] = [await stream(stranger), await stream(shop)];
    const payload = { mandates: 2, organizations: [stranger] };
    await happen(home, { type: "account.purged", subject: account, payload });
    await tellAll();
    for (const of of [atFormer, atShop])
      expect(await heardOn(of)).toMatchObject([{ name: "risc.account-purged", subject: user }]);
  });
});

describe("places", () => {
  test("D02 a reader that died before it moved on, or was taken for dead, tells nothing twice", async () => {
    const ours = await tenant();
    const hears = await stream(ours);
    const subject = newId("mandate");
    await happen(ours, { type: "mandate.issued", subject }, { type: "mandate.revoked", subject });
    await tellAll();
    await database.asAdmin("update outbox_cursors set xid = '0', seq = 0 where consumer = 'signals'");
    await tellAll();
    await happen(ours, { type: "mandate.expired", subject });
    await tellAll();
    await eventually(async () => {
      await tellOnce({ db, clock, issuer });
      expect((await heardOn(hears)).map(({ seq }) => seq)).toEqual(["1", "2", "3"]);
    });
  });

  test("D02 a batch that was told and outlasted its lease is passed over, without asking again who hears of it", async () => {
    const ours = await tenant();
    await happen(ours, { type: "account.recovered", subject: newId("account"), payload: { by: "codes" } });
    await tellAll();
    await database.asAdmin("update outbox_cursors set xid = '0', seq = 0 where consumer = 'signals'");
    // Nobody can be asked now who belongs where.
    await database.asAdmin("alter function tenants_of_member(text, int) rename to out_of_reach");
    try {
      await eventually(async () => expect(await tellOnce({ db, clock, issuer })).toBeGreaterThan(0));
    } finally {
      await database.asAdmin("alter function out_of_reach(text, int) rename to tenants_of_member");
    }
  });

  test("two readers at once give each event one place", async () => {
    const ours = await tenant();
    const hears = await stream(ours);
    for (let time = 0; time < 5; time++)
      await happen(ours, { type: "mandate.issued", subject: newId("mandate") });
    await database.asAdmin("update outbox_cursors set leased_until = 'epoch'");
    await eventually(async () => {
      await Promise.all([tellOnce({ db, clock, issuer }), tellOnce({ db, clock, issuer })]);
      expect((await heardOn(hears)).map(({ seq }) => seq)).toEqual(["1", "2", "3", "4", "5"]);
    });
    const txns = (await heardOn(hears)).map(({ txn }) => txn);
    expect(new Set(txns).size).toBe(5);
  });
});
