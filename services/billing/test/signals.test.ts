import { createHmac } from "node:crypto";
import { after, dayMs, type Id, newId, systemClock, toNumericDate } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import { type Json, type JsonObject, publicJwkOf, signalTypes } from "@remit/protocol";
import { generateJwk, randomText, signJws } from "@remit/protocol/node";
import { eventually, freePort } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBilling, type Service } from "../src/index.ts";
import { fetchMissing } from "../src/signals/polling.ts";
import { forgetSignals } from "../src/signals/signals.sql.ts";
import { openStage, purchaseOf, type Stage } from "./stage.ts";
import { type ToldStream, type Transmitter, transmitterOf } from "./transmitter.ts";

let stage: Stage;
let payer: Id<"tenant">;
let transmitter: Transmitter;
let metricsPort = 0;
const opened: Service[] = [];

beforeAll(async () => {
  transmitter = transmitterOf({
    clock: systemClock,
    issuer: () => stage.issuer,
    billing: () => stage.address(),
  });
  metricsPort = await freePort();
  stage = await openStage({
    stripeTimeoutMs: 20_000,
    webhooks: false,
    metricsPort,
    answering: (asked) => transmitter.answering(asked),
  });
  transmitter.away = false;
  payer = await stage.payer();
  await noted();
});
afterAll(async () => {
  for (const billing of opened) await billing.close();
  await stage.close();
});

type Standing = { readonly id: string; readonly whole: number; readonly furthest: number };
const current = async (): Promise<Standing | undefined> => {
  const [row] = await stage.database.asAdmin<{ id: string; whole: string; furthest: string }>(
    "select id, whole, furthest from signal_streams where ended_at is null",
  );
  return row && { id: row.id, whole: Number(row.whole), furthest: Number(row.furthest) };
};
const stream = (): ToldStream => {
  const found = transmitter.streams.at(-1);
  if (found === undefined) throw new TypeError("no stream was made");
  return found;
};
/** Billing has noted the stream that the issuer has for it. */
const noted = () =>
  eventually(async () => expect((await current())?.id).toBe(transmitter.streams.at(-1)?.body.stream_id));
const heardOf = (jti: string) =>
  stage.database.asAdmin<{ seq: string; outcome: string; about: string | null }>(
    "select seq, outcome, about from signals where jti = $1",
    [jti],
  );
/** What one of the process's own metrics says, summed over what is given of its labels. */
async function metric(name: string, labels = "", port = metricsPort): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
const about = (charge: Id<"charge">): JsonObject => ({
  organization_id: payer,
  charge,
  operation: "capture",
  ordinal: 1,
});

/** Another process of billing on the same database. */
async function startAnother(): Promise<{ readonly metricsPort: number }> {
  const log = createLog({ service: "billing", level: "silent" });
  const own = { metricsPort: await freePort() };
  const billing = createBilling({ config: { ...stage.config, ...own }, clock: stage.clock, log });
  await billing.listen();
  opened.push(billing);
  return own;
}

const heldCharge = async (): Promise<Id<"charge">> => {
  const of = purchaseOf(payer);
  expect((await stage.order("hold", of)).body["status"]).toBe("authorized");
  return of.charge;
};

describe("billing's stream at the issuer", () => {
  test("is one, however often and from how many processes it is asked for, and tells what billing wants", async () => {
    await Promise.all([startAnother(), startAnother(), startAnother()]);
    const listed = transmitter.asked.filter((one) => one === "GET /ssf/streams").length;
    await startAnother();
    await eventually(() =>
      expect(transmitter.asked.filter((one) => one === "GET /ssf/streams").length).toBeGreaterThan(listed),
    );
    await noted();
    expect(transmitter.streams).toHaveLength(1);
    const { delivery, events_requested: events } = stream().body;
    expect(delivery.endpoint_url).toMatch(/^https:\/\/billing\.remit\.test\/signals\?stream=[\w-]{22}$/);
    expect(events).toContain(signalTypes["oid4ac.payment.succeeded"]);
  });

  test("of two that were made at once one goes; what a former release asked for and a pause are set right", async () => {
    const [first] = transmitter.streams;
    if (first === undefined) throw new TypeError("no stream was made");
    const label = `${stage.config.origin}/signals?stream=${randomText()}`;
    const body = {
      ...first.body,
      stream_id: newId("stream"),
      delivery: { ...first.body.delivery, endpoint_url: label },
    };
    transmitter.streams.push({ body, status: "enabled", seq: 0, open: [], refused: {} });
    Object.assign(first.body, { events_requested: [] });
    first.status = "paused";
    await startAnother();
    await eventually(() => expect(transmitter.streams).toHaveLength(1));
    await eventually(() => expect(stream().status).toBe("enabled"));
    expect(stream().body.stream_id).toBe(first.body.stream_id);
    expect(stream().body.events_requested).toContain(signalTypes["oid4ac.dispute.lost"]);
  });
});

describe("a signal", () => {
  test("is written down once, however often it comes, and the repetitions are counted", async () => {
    const charge = await heldCharge();
    const signal = await transmitter.tell({ data: about(charge) });
    const before = await metric("signals_heard_total", 'outcome="replayed"');
    const again = await Promise.all(Array.from({ length: 5 }, () => transmitter.post(signal.token)));
    for (const answer of again) expect(answer).toEqual({ status: 202, body: undefined });
    expect(await heardOf(signal.jti)).toEqual([
      { seq: String(signal.seq), outcome: "hinted", about: charge },
    ]);
    expect(await metric("signals_heard_total", 'outcome="replayed"')).toBe(before + 5);
  });

  test("of a charge that billing does not know changes nothing, and leaves a trace", async () => {
    const charge = newId("charge");
    const before = await stage.books();
    const unknown = await metric("signals_heard_total", 'outcome="unknown"');
    const signal = await transmitter.tell({ data: { ...about(charge), amount_minor: 5_000 } });
    expect(await heardOf(signal.jti)).toEqual([
      { seq: String(signal.seq), outcome: "unknown", about: charge },
    ]);
    expect(await metric("signals_heard_total", 'outcome="unknown"')).toBe(unknown + 1);
    expect(await stage.books()).toEqual(before);
  });
});

describe("what is no signal of the issuer's for billing", () => {
  type Forging = {
    readonly claims?: Record<string, Json | undefined>;
    readonly typ?: string;
    readonly key?: ReturnType<typeof generateJwk>;
  };
  /** What is next, signed by the issuer unless somebody else does; a claim that is undefined is left out. */
  const forged = ({ claims = {}, typ = "secevent+jwt", key = stage.issuer.key }: Forging): string => {
    const whole: Record<string, Json | undefined> = {
      iss: stage.issuer.origin,
      aud: stage.config.origin,
      jti: randomText(),
      iat: toNumericDate(systemClock.now()),
      txn: randomText(),
      seq: stream().seq + 1,
      sub_id: { format: "opaque", id: "mnd_1" },
      events: { [signalTypes["oid4ac.payment.succeeded"]]: about(newId("charge")) },
      ...claims,
    };
    const said = Object.entries(whole).filter((one): one is [string, Json] => one[1] !== undefined);
    return signJws(key, { typ }, Object.fromEntries(said));
  };
  const iat = toNumericDate(systemClock.now());
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  test.each<[string, Forging, string]>([
    ["of another issuer", { claims: { iss: "https://evil.example" } }, "invalid_issuer"],
    ["meant for another receiver", { claims: { aud: "https://other.example" } }, "invalid_audience"],
    ["by a key that is not the issuer's", { key: generateJwk("ES256") }, "invalid_key"],
    ["of another kind", { typ: "at+jwt" }, "invalid_request"],
    ["of an hour from now", { claims: { iat: iat + 3600 } }, "invalid_request"],
    ["that ends", { claims: { exp: iat + 60 } }, "invalid_request"],
    ["with a sub", { claims: { sub: "acc_1" } }, "invalid_request"],
    ["without a place", { claims: { seq: undefined } }, "invalid_request"],
    ["with place 0", { claims: { seq: 0 } }, "invalid_request"],
    ["without a name", { claims: { jti: undefined } }, "invalid_request"],
    [
      "that says two things",
      {
        claims: {
          events: {
            [signalTypes["oid4ac.payment.succeeded"]]: {},
            [signalTypes["oid4ac.payment.refunded"]]: {},
          },
        },
      },
      "invalid_request",
    ],
  ])("one %s is refused and fills no place", async (_what, forging, err) => {
    const before = await current();
    const answer = await transmitter.post(forged(forging));
    expect(answer).toMatchObject({ status: 400, body: { err } });
    expect(await current()).toEqual(before);
  });

  test("nor one whose key has the name of the issuer's, one without a signature, or one keyed with a public key", async () => {
    const { kid = "" } = stage.issuer.key;
    const named = generateJwk("ES256", kid);
    expect(await transmitter.post(forged({ key: named }))).toMatchObject({
      status: 400,
      body: { err: "invalid_key" },
    });
    const [, payload] = forged({}).split(".");
    const bare = `${part({ alg: "none", typ: "secevent+jwt" })}.${payload}.`;
    const input = `${part({ alg: "HS256", typ: "secevent+jwt", kid })}.${payload}`;
    const secret = JSON.stringify(publicJwkOf(stage.issuer.key));
    const confused = `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    for (const token of [bare, confused, "", "a.b.c", new Uint8Array([0xff, 0xfe])])
      expect(await transmitter.post(token)).toMatchObject({ status: 400, body: { err: "invalid_request" } });
    expect(await transmitter.post(forged({}), { type: "application/json" })).toMatchObject({
      status: 400,
      body: { err: "invalid_request" },
    });
    expect((await transmitter.post("x".repeat(20_000))).status).toBe(413);
  });

  test("one that names no stream is refused, and one of a stream that is not noted is to come again", async () => {
    const send = (query: string) =>
      fetch(`${stage.address()}/signals${query}`, {
        method: "POST",
        headers: { "content-type": "application/secevent+jwt" },
        body: forged({}),
      });
    expect((await send("")).status).toBe(400);
    const unknown = await send(`?stream=${randomText()}`);
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  test("another with the name or the place of one that was heard is refused", async () => {
    const { jti, seq } = await transmitter.tell({ data: about(newId("charge")) });
    for (const claims of [{ jti }, { seq }])
      expect(await transmitter.post(forged({ claims }))).toMatchObject({
        status: 400,
        body: { err: "invalid_request" },
      });
  });
});

describe("a signal that does not arrive", () => {
  test("is fetched once a later one has come, however many were lost and in whatever order", async () => {
    const lost = Array.from({ length: 8 }, () => transmitter.next({ data: about(newId("charge")) }));
    const [, , late] = lost;
    const last = await transmitter.tell({ data: about(newId("charge")) });
    // One of them comes in the meantime, as pushes do.
    await transmitter.post(late?.token ?? "");
    await eventually(async () => expect((await current())?.whole).toBe(last.seq));
    for (const { jti } of lost) expect(await heardOf(jti)).toHaveLength(1);
    expect(stream().open).toEqual([]);
  });

  test("and that nothing follows is fetched when billing starts again", async () => {
    const lost = transmitter.next({ data: about(newId("charge")) });
    expect(await heardOf(lost.jti)).toEqual([]);
    await startAnother();
    await eventually(async () => expect(await heardOf(lost.jti)).toHaveLength(1));
    expect((await current())?.whole).toBe(lost.seq);
  });

  test("is asked for until it comes, and shows as long as it has not", async () => {
    transmitter.away = true;
    const lost = transmitter.next({ data: about(newId("charge")) });
    const after = await transmitter.tell({ data: about(newId("charge")) });
    await eventually(async () => {
      const [job] = await stage.database.asAdmin<{ attempts: number; last_error: string | null }>(
        "select attempts, last_error from jobs where queue = 'signals.fetch'",
      );
      expect(job?.last_error).toContain("503");
    });
    expect(await current()).toMatchObject({ whole: lost.seq - 1, furthest: after.seq });
    // What else comes does not have it asked for any sooner.
    const paused =
      "update jobs set run_at = 'infinity' where queue = 'signals.fetch' and leased_until is null returning id";
    await eventually(async () => expect(await stage.database.asAdmin(paused)).toHaveLength(1));
    const more = await transmitter.tell({ data: about(newId("charge")) });
    expect((await current())?.furthest).toBe(more.seq);
    const sooner = "select id from jobs where queue = 'signals.fetch' and run_at < 'infinity'";
    expect(await stage.database.asAdmin(sooner)).toEqual([]);
    await stage.database.asAdmin("update jobs set run_at = now() where queue = 'signals.fetch'");
    const another = await startAnother();
    await eventually(async () => expect(await metric("signals_missing", "", another.metricsPort)).toBe(1));
    transmitter.away = false;
    await eventually(async () => expect((await current())?.whole).toBe(more.seq));
    expect(await heardOf(lost.jti)).toHaveLength(1);
  });

  test("one that cannot be taken is said to be so, and keeps no other away", async () => {
    const bad = transmitter.next({ data: about(newId("charge")), issuer: "https://evil.example" });
    const good = transmitter.next({ data: about(newId("charge")) });
    await transmitter.tell({ data: about(newId("charge")) });
    await eventually(async () => expect(await heardOf(good.jti)).toHaveLength(1));
    await eventually(() => expect(stream().refused[bad.jti]).toMatchObject({ err: "invalid_issuer" }));
    expect((await current())?.whole).toBe(bad.seq - 1);
  });

  test("and that the issuer itself has not got any more is waited for a day, and then no longer", async () => {
    const stands = await current();
    const db = stage.database.open();
    const log = createLog({ service: "billing", level: "silent" });
    const never = () => Promise.reject(new TypeError("nobody is asked"));
    const nothing = { status: 200, headers: {}, body: { sets: {} } };
    const fetchAt = (laterMs: number): Promise<boolean> =>
      fetchMissing(
        {
          db,
          log,
          clock: { ...systemClock, now: () => after(systemClock.now(), laterMs) },
          issuer: stage.issuer.origin,
          endpoint: "",
          keys: never,
          outbound: { request: never },
          peer: { call: () => Promise.resolve(nothing) },
          behind: { charge: never, dispute: never },
          count: () => undefined,
        },
        stands?.id ?? "",
      );
    expect(await fetchAt(dayMs / 2)).toBe(false);
    expect(await current()).toEqual(stands);
    expect(await fetchAt(dayMs + 1)).toBe(true);
    expect(await current()).toMatchObject({ whole: stands?.furthest, furthest: stands?.furthest });
    await transmitter.tell({ data: about(newId("charge")) });
    expect((await current())?.whole).toBe((stands?.furthest ?? 0) + 1);
  });
});

describe("another stream", () => {
  test("that the issuer has made begins at 1, and the former one's signals are heard to the end", async () => {
    const late = transmitter.next({ data: about(newId("charge")) });
    const [former] = transmitter.streams.splice(0);
    await startAnother();
    await eventually(() => expect(transmitter.streams).toHaveLength(1));
    await noted();
    expect(stream().body.stream_id).not.toBe(former?.body.stream_id);
    const first = await transmitter.tell({ data: about(newId("charge")) });
    expect(first.seq).toBe(1);
    expect(await current()).toMatchObject({ whole: 1, furthest: 1 });
    // Of one charge each: both have the first place of their streams, or another, and none is in the other's way.
    expect((await transmitter.post(late.token, { at: former })).status).toBe(202);
    expect(await heardOf(late.jti)).toMatchObject([{ seq: String(late.seq) }]);
    expect(await heardOf(first.jti)).toMatchObject([{ seq: "1" }]);
    expect(await current()).toMatchObject({ whole: 1, furthest: 1 });
  });
});

test("what was heard long ago is forgotten, and is no news when it comes again", async () => {
  const signal = await transmitter.tell({ data: about(await heldCharge()) });
  const db = stage.database.open();
  const forget = () => db.global.transaction((tx) => forgetSignals(tx, after(systemClock.now(), dayMs)));
  expect(await forget()).toBeGreaterThan(0);
  expect(await heardOf(signal.jti)).toEqual([]);
  const before = await metric("signals_heard_total", 'outcome="replayed"');
  expect((await transmitter.post(signal.token)).status).toBe(202);
  expect(await metric("signals_heard_total", 'outcome="replayed"')).toBe(before + 1);
  expect(await heardOf(signal.jti)).toEqual([]);
});
