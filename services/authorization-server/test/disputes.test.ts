import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { dayMs, type Id, instantOf, minuteMs, newId, toRfc3339 } from "@remit/kernel";
import { createSigningKeys, kekOf } from "@remit/platform/keys";
import { createLog } from "@remit/platform/telemetry";
import { type EvidenceKey, Problem, packArchive, publicJwkOf, unpackArchive } from "@remit/protocol";
import { verifyEvidence } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AuditDeps, sequence } from "../src/audit/audit.ts";
import { signCheckpoint } from "../src/audit/checkpoint.ts";
import { createFileAnchor } from "../src/audit/index.ts";
import type { Charge } from "../src/charges/index.ts";
import { disputeRoutes } from "../src/disputes/disputes.http.ts";
import {
  actOn,
  type DisputesDeps,
  disputesOf,
  openDispute,
  respond,
  showDispute,
} from "../src/disputes/disputes.operations.ts";
import type { Dispute } from "../src/disputes/disputes.ts";
import { lookAfter } from "../src/disputes/lost-money.ts";
import { createDisputeNetwork } from "../src/disputes/network.ts";
import { type EvidenceDeps, evidenceOf, evidenceRoutes } from "../src/evidence/index.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  issuer,
  own,
  purchase,
  refusalOf,
  type World,
} from "./charging/world.ts";

let world: World;
let audit: AuditDeps;
let directory: string;
let disputes: DisputesDeps;
let evidence: EvidenceDeps;

beforeAll(async () => {
  world = await createWorld();
  directory = await mkdtemp(path.join(tmpdir(), "remit-evidence-"));
  const log = createLog({ service: "test", level: "silent" });
  const { db, clock, charges, receipts } = world;
  const purposes = [{ purpose: "audit", alg: "EdDSA", evidence: true, tokenLifeMsMax: 0 }] as const;
  const keys = createSigningKeys({ db, kek: kekOf(randomBytes(32)), clock, log, purposes });
  await keys.load();
  audit = { db, keys, anchor: createFileAnchor(path.join(directory, "anchor")), clock, log, issuer };
  const { keyring } = world.chargesDeps;
  const network = createDisputeNetwork({
    peer: { call: () => Promise.reject(new Error("no dispute of the card network here")) },
    origin: "https://billing.test",
    disputes: () => disputes,
  });
  disputes = { db, clock, log, keyring, charges, network };
  const publishedKeys = () => ({ issuer, keys: [] });
  evidence = { db, clock, issuer, keys: world.keys, keyring, charges, receipts, publishedKeys };
});
afterAll(async () => {
  await world.close();
  await rm(directory, { recursive: true, force: true });
});

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const person = { type: "account", id: "acc_ada" } as const;
const shop = { type: "merchant", id: "shop" } as const;
const payer = () => ({ side: "payer", tenant: world.payer, agent: undefined }) as const;
const payee = () => ({ side: "payee", ...asMerchant(world) }) as const;

async function captured(amount = 1_250): Promise<Charge> {
  const mandate = await giveMandate(world);
  const held = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount }));
  return world.charges.capture(own(world, held.id), order);
}

/** The keys that somebody saved who trusts this issuer. */
const savedKeys = (): EvidenceKey[] => [
  ...(["mandate", "receipt"] as const).map((purpose) => ({
    jwk: publicJwkOf(world.keys.keyOf(purpose)),
    purpose,
    notBefore: instantOf(0),
  })),
  ...audit.keys.publicKeys("audit").map(({ jwk }) => ({ jwk, purpose: "audit", notBefore: instantOf(0) })),
];

async function provenCharge(): Promise<Charge> {
  const charge = await captured();
  for (const tenant of [world.payer, world.payee]) {
    await sequence(audit, tenant);
    await signCheckpoint(audit, tenant);
  }
  world.clock.advance(16 * minuteMs);
  return charge;
}

describe("the evidence of a charge", () => {
  test("is one archive for each side, the same bytes whenever it is asked for, and every step of it holds", async () => {
    const charge = await provenCharge();
    for (const side of [payer(), payee()]) {
      const archive = await evidenceOf(evidence, side, charge.id);
      const report = verifyEvidence(archive ?? new Uint8Array(), { issuer, keys: savedKeys() });
      expect(report.findings.filter(({ ok }) => !ok)).toEqual([]);
      expect(report).toMatchObject({ verified: true, manifest: { charge: charge.id, tenant: side.tenant } });
      expect(report.findings.map(({ step }) => step)).toEqual([
        "archive",
        "manifest",
        "receipt",
        "offer",
        "mandate",
        "token",
        "presentation",
        "audit",
      ]);
      await captured();
      await sequence(audit, side.tenant);
      await signCheckpoint(audit, side.tenant);
      expect(await evidenceOf(evidence, side, charge.id)).toEqual(archive);
    }
  });

  test("does not hold once any byte of it is another, a file is added, or another issuer's keys are trusted", async () => {
    const charge = await provenCharge();
    const archive = (await evidenceOf(evidence, payer(), charge.id)) ?? new Uint8Array();
    const trust = { issuer, keys: savedKeys() };
    const verified = (bytes: Uint8Array): boolean => verifyEvidence(bytes, trust).verified;
    for (let at = 0; at < archive.length; at += 61) {
      const changed = Uint8Array.from(archive);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(verified(changed), `byte ${at}`).toBe(false);
    }
    const files = unpackArchive(archive);
    expect(verified(packArchive({ ...files, "more.txt": new Uint8Array([1]) }))).toBe(false);
    expect(verified(Uint8Array.from([...archive, 0]))).toBe(false);
    const { "receipt.jws": _, ...fewer } = files;
    expect(verified(packArchive(fewer))).toBe(false);
    expect(verifyEvidence(archive, { ...trust, issuer: "https://other.test" }).verified).toBe(false);
    const without = savedKeys().filter(({ purpose }) => purpose !== "audit");
    expect(verifyEvidence(archive, { issuer, keys: without }).findings.filter(({ ok }) => !ok)).toMatchObject(
      [{ step: "audit" }],
    );
  });

  test("verifies in a process that has no network and knows no database", async () => {
    const charge = await provenCharge();
    const archive = (await evidenceOf(evidence, payer(), charge.id)) ?? new Uint8Array();
    const [file, keys] = ["pack.zip", "keys.json"].map((name) => path.join(directory, name)) as [
      string,
      string,
    ];
    await writeFile(file, archive);
    const saved = savedKeys().map(({ jwk, purpose, notBefore }) => ({
      ...jwk,
      purpose,
      not_before: toRfc3339(notBefore),
    }));
    await writeFile(keys, JSON.stringify({ issuer, keys: saved }));
    const { code, text } = await runWithoutNetwork(["evidence", "verify", file, "--keys", keys]);
    expect(text).toContain(`The evidence of ${charge.id} is genuine and whole.`);
    expect(text.match(/^✓/gm)).toHaveLength(8);
    expect(code).toBe(0);
  });

  test("is nobody else's, and is not there before it is whole", async () => {
    const charge = await captured();
    const stranger = { side: "payer", tenant: newId("tenant"), agent: undefined } as const;
    expect(await evidenceOf(evidence, stranger, charge.id)).toBeUndefined();
    expect(await evidenceOf(evidence, { ...payee(), client: newId("client") }, charge.id)).toBeUndefined();
    // While the token lives, and before the log was signed over the capture.
    expect(await refusalOf(evidenceOf(evidence, payer(), charge.id))).toBe("evidence_not_ready");
    world.clock.advance(16 * minuteMs);
    expect(await refusalOf(evidenceOf(evidence, payer(), charge.id))).toBe("evidence_not_ready");
    const mandate = await giveMandate(world);
    const held = await world.charges.create(asMerchant(world), purchase(world, { mandate }));
    expect(await refusalOf(evidenceOf(evidence, payer(), held.id))).toBe("evidence_incomplete");
  });
});

/** The command, in a process where every attempt to reach anybody is an error. */
async function runWithoutNetwork(args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const root = path.join(import.meta.dirname, "../../..");
  const deaf = `import net from "node:net"; import dns from "node:dns";
    const never = () => { throw new Error("there is no network here"); };
    net.Socket.prototype.connect = never; dns.lookup = never; globalThis.fetch = never;`;
  const child = spawn(
    process.execPath,
    [
      "--conditions=@remit/src",
      `--import=data:text/javascript,${encodeURIComponent(deaf)}`,
      path.join(root, "packages/cli/src/main.ts"),
      ...args,
    ],
    { cwd: directory, env: { PATH: process.env["PATH"] }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  child.stderr.on("data", (chunk) => (text += chunk));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, text };
}

type Wanted = Partial<Parameters<typeof openDispute>[1]>;
const open = (charge: Charge, wanted: Wanted = {}): Promise<Dispute> =>
  openDispute(disputes, {
    tenant: world.payer,
    charge: charge.id,
    amountMinor: undefined,
    reason: "not_delivered",
    statement: "Nothing came.",
    actor: person,
    ...wanted,
  });
const shown = async (id: Id<"dispute">, side: "payer" | "payee") =>
  showDispute(
    disputes,
    side === "payer" ? { tenant: world.payer, client: undefined } : asMerchant(world),
    id,
  );
const lookedAfter = (dispute: Dispute) => lookAfter(disputes, { tenant: dispute.payer, dispute: dispute.id });
const chargeNow = async ({ id }: Charge) => (await world.charges.whole(payer(), id)) as Charge;

describe("a principal's dispute", () => {
  test("is one about a charge at a time, seen by both sides with what was said, and by nobody else", async () => {
    const charge = await captured();
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => open(charge)));
    const won = outcomes.filter((one) => one.status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const one of outcomes)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "dispute_exists" });
    const [dispute] = won.map(({ value }) => value);
    if (dispute === undefined) throw new Error("one was opened");
    for (const side of ["payer", "payee"] as const)
      expect(await shown(dispute.id, side)).toMatchObject({
        dispute: { state: "needs_response", amountMinor: 1_250n, charge: charge.id },
        words: { statement: "Nothing came.", answer: undefined },
      });
    const others = { tenant: world.payee, client: newId("client") };
    expect(await showDispute(disputes, others, dispute.id)).toBeUndefined();
    expect(
      await showDispute(disputes, { tenant: newId("tenant"), client: undefined }, dispute.id),
    ).toBeUndefined();
    const page = { limit: 10, before: undefined, state: undefined, charge: charge.id };
    expect(await disputesOf(disputes, world.payee, { ...page, client: world.merchant.client })).toHaveLength(
      1,
    );
    expect(await disputesOf(disputes, world.payee, { ...page, client: newId("client") })).toEqual([]);
    const written = await world.database.asAdmin<{ statement: Buffer }>("select statement from disputes");
    for (const { statement } of written) expect(statement.toString("latin1")).not.toContain("Nothing came");
  });

  test("is refused about what was not captured, was given back, is too long ago, or for more than is left", async () => {
    const mandate = await giveMandate(world);
    const held = await world.charges.create(asMerchant(world), purchase(world, { mandate }));
    expect(await refusalOf(open(held))).toBe("dispute_not_possible");
    const charge = await captured(1_000);
    expect(await refusalOf(open(charge, { amountMinor: 1_001 }))).toBe("dispute_not_possible");
    await world.charges.refund(own(world, charge.id), { key: "part", amountMinor: 400 });
    expect(await refusalOf(open(charge, { amountMinor: 601 }))).toBe("dispute_not_possible");
    expect(await refusalOf(open(charge, { tenant: newId("tenant") }))).toBe("not_found");
    await world.charges.refund(own(world, charge.id), { key: "rest", amountMinor: undefined });
    expect(await refusalOf(open(charge))).toBe("dispute_not_possible");
    const old = await captured();
    world.clock.advance(120 * dayMs);
    expect(await refusalOf(open(old))).toBe("dispute_not_possible");
  });

  test("that its merchant accepts gives back what it was about, once, to the budget as well", async () => {
    const charge = await captured(1_000);
    const dispute = await open(charge, { amountMinor: 300 });
    const lost = await respond(disputes, dispute, { act: "accept", actor: shop });
    expect(lost).toMatchObject({ state: "lost", because: "accepted", refund: "due" });
    await Promise.all([lookedAfter(lost), lookedAfter(lost)].map((one) => one.catch(() => undefined)));
    expect(await lookedAfter(lost)).toBeUndefined();
    expect((await chargeNow(charge)).refunded.units).toBe(300n);
    expect(await budgetOf(world, charge.mandate)).toMatchObject({ spent: 700n * 10_000n });
    expect((await shown(dispute.id, "payee"))?.dispute).toMatchObject({ refund: "done", refundMinor: 300n });
    expect(await refusalOf(respond(disputes, dispute, { act: "accept", actor: shop }))).toBe(
      "dispute_state_conflict",
    );
  });

  test("that nobody answers in time is lost, and gives back no more than is left then", async () => {
    const charge = await captured(1_000);
    const dispute = await open(charge);
    expect(await lookedAfter(dispute)).toBe(dispute.respondBy);
    await world.charges.refund(own(world, charge.id), { key: "some", amountMinor: 900 });
    world.clock.advance(7 * dayMs);
    const late = respond(disputes, dispute, { act: "answer", actor: shop, answer: "It was sent." });
    expect(await refusalOf(late)).toBe("dispute_state_conflict");
    expect(await lookedAfter(dispute)).toBeUndefined();
    expect((await shown(dispute.id, "payer"))?.dispute).toMatchObject({
      state: "lost",
      because: "unanswered",
      refund: "done",
      refundMinor: 100n,
    });
    expect((await chargeNow(charge)).state).toBe("refunded");
  });

  test.each([
    [200, 100n],
    [300, undefined],
    [700, undefined],
  ])(
    "about 300 of which its merchant gave %i back meanwhile gives back the rest of them",
    async (given, rest) => {
      const charge = await captured(1_000);
      const dispute = await open(charge, { amountMinor: 300 });
      world.clock.advance(7 * dayMs);
      await world.charges.refund(own(world, charge.id), { key: "given", amountMinor: given });
      expect(await lookedAfter(dispute)).toBeUndefined();
      expect((await chargeNow(charge)).refunded.units).toBe(BigInt(Math.max(given, 300)));
      const told = (await shown(dispute.id, "payer"))?.dispute;
      expect(told).toMatchObject({ state: "lost", refund: "done", refundMinor: rest });
    },
  );

  test("that was lost while its merchant gives something back waits for what comes of that", async () => {
    const charge = await captured(1_000);
    const lost = await respond(disputes, await open(charge), { act: "accept", actor: shop });
    const whole = async () => ({ ...(await chargeNow(charge)), state: "refunding" as const });
    const during = { ...disputes, charges: { ...disputes.charges, whole } };
    expect(await lookAfter(during, { tenant: lost.payer, dispute: lost.id })).toBeDefined();
    const told = (await shown(lost.id, "payer"))?.dispute;
    expect(told).toMatchObject({ refund: "due", refundMinor: undefined });
  });

  test("that was lost, and whose merchant gives all back before we do, is done and not refused", async () => {
    const charge = await captured(1_000);
    const lost = await respond(disputes, await open(charge), { act: "accept", actor: shop });
    const giveBack = () => Promise.reject(new Problem("unavailable"));
    const away = { ...disputes, charges: { ...disputes.charges, giveBack } };
    expect(await lookAfter(away, { tenant: lost.payer, dispute: lost.id })).toBeDefined();
    expect((await shown(lost.id, "payer"))?.dispute).toMatchObject({ refund: "due", refundMinor: 1_000n });
    await world.charges.refund(own(world, charge.id), { key: "all", amountMinor: undefined });
    await lookedAfter(lost);
    expect(await lookedAfter(lost)).toBeUndefined();
    expect((await shown(lost.id, "payee"))?.dispute).toMatchObject({ refund: "done" });
  });

  test("that was decided for its merchant is not opened again", async () => {
    const charge = await captured();
    const act = { act: "answer", actor: shop, answer: "It was sent." } as const;
    await actOn(disputes, await respond(disputes, await open(charge), act), { act: "reject", actor: person });
    expect(await refusalOf(open(charge))).toBe("dispute_not_possible");
    const page = { limit: 10, before: undefined, state: undefined, charge: charge.id, client: undefined };
    expect(await disputesOf(disputes, world.payer, page)).toMatchObject([{ state: "won" }]);
  });

  test("that was answered is the merchant's unless the operator upholds it in time", async () => {
    const [first, second] = [await captured(), await captured()];
    const answered = async (charge: Charge): Promise<Dispute> =>
      respond(disputes, await open(charge), { act: "answer", actor: shop, answer: "It was sent." });
    const [kept, upheld] = [await answered(first), await answered(second)];
    expect((await shown(kept.id, "payer"))?.words.answer).toBe("It was sent.");
    expect(
      await refusalOf(actOn(disputes, await open(await captured()), { act: "uphold", actor: person })),
    ).toBe("dispute_state_conflict");
    expect(await actOn(disputes, upheld, { act: "uphold", actor: person })).toMatchObject({ state: "lost" });
    await lookedAfter(upheld);
    expect((await chargeNow(second)).state).toBe("refunded");
    world.clock.advance(14 * dayMs);
    await lookedAfter(kept);
    expect((await shown(kept.id, "payee"))?.dispute).toMatchObject({ state: "won", because: "not_upheld" });
    expect((await chargeNow(first)).state).toBe("captured");
  });

  test("that is withdrawn is over, another may be opened, and both logs tell all of it", async () => {
    const charge = await captured();
    const dispute = await open(charge);
    await actOn(disputes, dispute, { act: "withdraw", actor: person });
    expect((await open(charge)).state).toBe("needs_response");
    const rows = await world.database.asAdmin<{ tenant_id: string; event: string }>(
      "select tenant_id, event from audit_rows where subject = $1 order by event",
      [dispute.id],
    );
    for (const tenant of [world.payer, world.payee])
      expect(rows.filter((row) => row.tenant_id === tenant).map(({ event }) => event)).toEqual([
        "dispute.opened",
        "dispute.withdrawn",
      ]);
  });
});

describe("the people of an organization", () => {
  const scopes = { reads: "billing:read", answers: "offers:write" } as const;
  /** A call of one of the routes by somebody whom its scope lets in. */
  const by =
    (tenant: Id<"tenant">, scope: string) =>
    async (key: string, id: string, body: object = {}): Promise<unknown> => {
      const all = [...disputeRoutes(disputes), ...evidenceRoutes(evidence)];
      const found = all.find(({ method, path: at }) => `${method} ${at}` === key);
      if (found === undefined || found.needs === "public") throw new Error(`no ${key}`);
      expect([found.needs.scope].flat()).toContain(scope);
      const actor = { type: "account", id: "acc_bob" } as const;
      const caller = { tenant, client: "wallet", subject: "acc_bob", scopes: new Set([scope]), actor };
      const query = { limit: 20, cursor: undefined, status: undefined, charge_id: undefined };
      const call = { caller, now: world.clock.now() } as never; // what these handlers read of a call
      const { body: answer } = await found.handle(call, { params: { id }, query, body });
      return answer;
    };
  const list = "GET /api/v1/disputes";
  const read = "GET /api/v1/disputes/:id";
  const answer = "POST /api/v1/disputes/:id/evidence";
  const accept = "POST /api/v1/disputes/:id/accept";
  const pack = "GET /api/v1/charges/:id/evidence";
  const opened = async (): Promise<Dispute> => {
    const charge = await captured();
    const asked = { tenant: world.payer, charge: charge.id, amountMinor: undefined, reason: "not_received" };
    return openDispute(disputes, { ...asked, statement: "It never came.", actor: person });
  };

  test("see the disputes of all its shops, answer them, and the log names the person", async () => {
    const dispute = await opened();
    const reader = by(world.payee, scopes.reads);
    expect(await reader(list, "")).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ id: dispute.id })]) as unknown,
    });
    expect(await reader(read, dispute.id)).toMatchObject({ statement: "It never came." });
    const said = await by(world.payee, scopes.answers)(answer, dispute.id, { text: "It was signed for." });
    expect(said).toMatchObject({ status: "under_review" });
    const rows = await world.db.of(world.payee).transaction((tx) =>
      tx.many<{ body: string }>({
        text: "select body from audit_rows where subject = $1 and event = 'dispute.answered'",
        values: [dispute.id],
        name: "",
      }),
    );
    expect(rows.map(({ body }) => (JSON.parse(body) as { actor: object }).actor)).toMatchObject([
      { type: "account", id: "acc_bob" },
    ]);
  });

  test("accept one, and its money goes back", async () => {
    const dispute = await opened();
    expect(await by(world.payee, scopes.answers)(accept, dispute.id)).toMatchObject({ status: "lost" });
  });

  test("get the evidence of what their shops charged", async () => {
    const charge = await provenCharge();
    expect(await by(world.payee, scopes.reads)(pack, charge.id)).toBeInstanceOf(Uint8Array);
  });

  test("T01 find nothing of another organization's, by no route and not even the payer's by the payee's", async () => {
    const dispute = await opened();
    const charge = await provenCharge();
    for (const tenant of [newId("tenant"), world.payer]) {
      const reader = by(tenant, scopes.reads);
      const writer = by(tenant, scopes.answers);
      expect(await reader(list, "")).toEqual({ data: [], next_cursor: null });
      for (const refused of [
        () => reader(read, dispute.id),
        () => writer(answer, dispute.id, { text: "No." }),
        () => writer(accept, dispute.id),
        () => reader(pack, charge.id),
      ])
        expect(await refusalOf(refused())).toBe("not_found");
    }
  });
});

describe("a dispute of the card network", () => {
  test("that four hear of at once is opened once, on both sides, and is nowhere told of twice", async () => {
    const charge = await captured();
    const id = newId("dispute");
    const at = toRfc3339(world.clock.now());
    const reported = {
      id,
      charge: charge.id,
      payer: world.payer,
      payee: world.payee,
      reference: "du_1",
      status: "needs_response",
      reason: "fraudulent",
      amount_minor: 1_250,
      currency: "EUR",
      respond_by: null,
      opened_at: at,
    } as const;
    // None writes before all are there.
    const [locked, looked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding = world.db.of(world.payer).transaction(async (tx) => {
      await tx.run({ text: "lock table disputes in share mode", values: [], name: "" });
      locked.resolve();
      await looked.promise;
    });
    await locked.promise;
    const taking = Promise.all(Array.from({ length: 4 }, () => disputes.network.take(reported)));
    await eventually(async () => {
      const waiting = await world.database.asAdmin<{ pid: number }>(
        `select pid from pg_locks where not granted and (relation = '${world.database.schema}.disputes'::regclass
          or locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()))`,
      );
      expect(waiting).toHaveLength(4);
    }).finally(looked.resolve);
    await holding;
    const states = (await taking).map((dispute) => [dispute?.id, dispute?.state]);
    expect(states).toEqual(states.map(() => [id, "needs_response"]));
    for (const tenant of [world.payer, world.payee]) {
      const rows = await world.database.asAdmin<{ event: string }>(
        "select event from audit_rows where tenant_id = $1 and subject = $2",
        [tenant, id],
      );
      expect(rows).toEqual([{ event: "dispute.opened" }]);
    }
    expect(await disputes.network.take({ ...reported, status: "lost" })).toMatchObject({ state: "lost" });
  });

  test("leaves its principal nothing to dispute, unless the network has decided for the merchant", async () => {
    const charge = await captured();
    const reported = {
      id: newId("dispute"),
      charge: charge.id,
      payer: world.payer,
      payee: world.payee,
      reference: "du_2",
      reason: "fraudulent",
      amount_minor: 1_250,
      currency: "EUR",
      respond_by: null,
      opened_at: toRfc3339(world.clock.now()),
    } as const;
    const ask = () =>
      openDispute(disputes, {
        tenant: world.payer,
        charge: charge.id,
        amountMinor: undefined,
        reason: "not_delivered",
        statement: "Nothing came.",
        actor: person,
      });
    for (const status of ["needs_response", "under_review", "lost"] as const) {
      await disputes.network.take({ ...reported, status });
      expect(await refusalOf(ask())).toBe("dispute_not_possible");
    }
    await disputes.network.take({ ...reported, status: "won" });
    expect((await ask()).origin).toBe("principal");
  });
});
