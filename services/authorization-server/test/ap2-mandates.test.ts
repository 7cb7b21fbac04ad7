import { randomBytes } from "node:crypto";
import { type Id, newId, toNumericDate } from "@remit/kernel";
import { base64url, type JsonObject, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, sha256b64url, signJws } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { endExport, lateUsesMs } from "../src/exports/index.ts";
import { checkBudget } from "../src/mandates/index.ts";
import { type Api, type As, agentOf, openApi, type Sent, walletOf } from "./charging/api.ts";
import { budgetOf, createWorld, giveMandate, newAgent, shopOrigin, type World } from "./charging/world.ts";

let world: World;
let api: Api;
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const billing = (): As => ({ tenant: newId("tenant"), client: "billing", scopes: ["events:write"] });
const shop = { id: shopOrigin, name: "shop.test", website: shopOrigin };
const instrument = { id: "card_1", type: "card", description: "Card ending in 4242" };

type Content = { readonly [member: string]: unknown };

/** A Delegate SD-JWT of one disclosed content, as AP2's SDK makes them. */
function delegate(key: PrivateJwk, typ: string, { content, claims }: { content: Content; claims: Content }) {
  const salt = randomBytes(16).toString("base64url");
  const disclosure = base64url.encode(Buffer.from(JSON.stringify([salt, content])));
  const payload = { delegate_payload: [{ "...": sha256b64url(disclosure) }], _sd_alg: "sha-256", ...claims };
  return `${signJws(key, { typ }, payload)}~${disclosure}~`;
}

type Closing = {
  readonly key?: PrivateJwk;
  readonly typ?: string;
  readonly content: Content;
  readonly claims?: Content;
};

/** The open mandate with the closed one that is made of it. */
function closing(
  open: string,
  { key = world.agent.dpop, typ = "kb+sd-jwt", content, claims }: Closing,
): string {
  const iat = toNumericDate(world.clock.now());
  const bound = { iat, aud: "credentials-provider", nonce: "n-1", sd_hash: sha256b64url(open), ...claims };
  return `${open}~${delegate(key, typ, { content, claims: bound })}`;
}

/** What a buyer and a merchant agreed on before anything was exported. */
const openCheckout = (): string => {
  const cnf = { jwk: publicJwkOf(world.agent.dpop) };
  const content = { vct: "mandate.checkout.open.1", constraints: [], cnf };
  return delegate(generateJwk("ES256"), "example+sd-jwt", { content, claims: {} });
};

type Order = { readonly open: string; readonly transaction: string; readonly mandate: string };

/** One order under an open checkout mandate: closed by the agent about the merchant's checkout. */
function order(open: string): Order {
  const jwt = `${base64url.encode(Buffer.from(JSON.stringify({ alg: "ES256" })))}.${randomBytes(24).toString("base64url")}.sig`;
  const transaction = sha256b64url(jwt);
  const content = { vct: "mandate.checkout.1", checkout_jwt: jwt, checkout_hash: transaction };
  return { open, transaction, mandate: closing(open, { content }) };
}

const payment = (of: Pick<Order, "transaction">, minor: number, more: Content = {}): Content => ({
  vct: "mandate.payment.1",
  transaction_id: of.transaction,
  payee: shop,
  payment_amount: { amount: minor, currency: "EUR" },
  payment_instrument: instrument,
  ...more,
});

const post = (path: string, body: object, as: As): Promise<Sent> =>
  api.send({ as, method: "POST", path, body });

type Exported = { readonly id: Id<"charge">; readonly open: string; readonly checkout: string };

async function exported(mandate: Id<"mandate">, minor: number, as: As = agentOf(world)): Promise<Exported> {
  const checkout = openCheckout();
  const body = { kind: "ap2", open_checkout_digest: sha256b64url(checkout), amount_minor: minor };
  const made = await post(`/api/v1/mandates/${mandate}/exports`, body, as);
  expect(made.status).toBe(201);
  return { id: made.body["id"] as Id<"charge">, open: String(made.body["credential"]), checkout };
}

const tell = (id: Id<"charge">, proof: object, as: As = agentOf(world)): Promise<Sent> =>
  post(`/api/v1/exports/${id}/uses`, proof, as);

/** Both chains of a purchase of so much. */
function bought({ open, checkout }: Exported, minor: number, of: Order = order(checkout)) {
  const content = payment(of, minor);
  return { payment_mandate: closing(open, { content }), checkout_mandate: of.mandate };
}

const holds = (mandate: Id<"mandate">): Promise<boolean> =>
  world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate));

let mandate: Id<"mandate">;
beforeEach(async () => {
  mandate = (await giveMandate(world, { merchants: [shopOrigin], amount_minor: 10_000 })).id;
});

describe("a closed mandate of AP2 is told as a use of its export", () => {
  test("what it says is spent, exactly that, and the rest stays held until the export's end", async () => {
    const one = await exported(mandate, 5_000);
    expect(await tell(one.id, bought(one, 1_234))).toMatchObject({
      status: 200,
      body: { status: "held", used_minor: 1_234 },
    });
    expect(await budgetOf(world, mandate)).toMatchObject({
      held: units(3_766),
      spent: units(1_234),
      uses: 1,
    });
    expect((await tell(one.id, bought(one, 66))).body["used_minor"]).toBe(1_300);
    expect(await budgetOf(world, mandate)).toMatchObject({ held: units(3_700), spent: units(1_300) });
    expect(await holds(mandate)).toBe(true);
    const close = { because: "expired", used_minor: 1_300 };
    expect(await post(`/api/v1/exports/${one.id}/close`, close, billing())).toMatchObject({ status: 200 });
    expect(await budgetOf(world, mandate)).toMatchObject({ held: 0n, spent: units(1_300), uses: 1 });
    expect(await holds(mandate)).toBe(true);
    const sums = await api.send({
      as: walletOf(world),
      path: `/api/v1/wallet/spending?by=merchant&mandate_id=${mandate}`,
    });
    expect(sums.body["data"]).toMatchObject([{ key: "export:ap2", spent_minor: 1_300 }]);
  });

  test("all of it used by mandates closes it, and nothing is left held", async () => {
    const one = await exported(mandate, 1_000);
    await tell(one.id, bought(one, 400));
    expect((await tell(one.id, bought(one, 600))).body).toMatchObject({ status: "closed", because: "used" });
    expect(await budgetOf(world, mandate)).toMatchObject({ held: 0n, spent: units(1_000) });
    expect(await holds(mandate)).toBe(true);
    expect(await tell(one.id, bought(one, 1))).toMatchObject({
      status: 409,
      body: { code: "export_closed" },
    });
  });

  test("an export of which nobody tells more ends by itself as wholly used, and what was proven counts once", async () => {
    const one = await exported(mandate, 5_000);
    await tell(one.id, bought(one, 700));
    await tell(one.id, { reference: "pay_1", amount_minor: 300 }, billing());
    expect(await budgetOf(world, mandate)).toMatchObject({ held: units(4_300), spent: units(700) });
    const [{ ends } = { ends: 0 }] = await world.database.asAdmin<{ ends: number }>(
      "select (extract(epoch from expires_at) * 1000)::float8 as ends from exports where id = $1",
      [one.id],
    );
    const before = world.clock.now();
    world.clock.advance(ends - before + lateUsesMs);
    await endExport({ db: world.db, clock: world.clock }, world.payer, one.id);
    world.clock.advance(before - world.clock.now());
    expect(await budgetOf(world, mandate)).toMatchObject({ held: 0n, spent: units(5_000), uses: 1 });
    expect(await holds(mandate)).toBe(true);
  });

  test("of a mandate that was handed on is spent of every mandate above it too", async () => {
    const child = await newAgent(world.db, world);
    const handed = await post(`/api/v1/mandates/${mandate}/hand-on`, { agent_id: child.id }, agentOf(world));
    const leaf = handed.body["id"] as Id<"mandate">;
    const as = { ...agentOf(world), client: child.id };
    const one = await exported(leaf, 2_000, as);
    const of = order(one.checkout);
    const closed = closing(one.open, { key: child.dpop, content: payment(of, 500) });
    const told = await tell(one.id, { payment_mandate: closed, checkout_mandate: of.mandate }, as);
    expect(told).toMatchObject({ status: 200, body: { used_minor: 500 } });
    for (const id of [mandate, leaf]) {
      expect(await budgetOf(world, id)).toMatchObject({ held: units(1_500), spent: units(500) });
      expect(await holds(id)).toBe(true);
    }
  });

  test("both chains are kept as evidence, for the principal alone, and as ciphertext", async () => {
    const one = await exported(mandate, 5_000);
    const proof = bought(one, 900);
    await tell(one.id, proof);
    const path = `/api/v1/exports/${one.id}/uses`;
    const { body } = await api.send({ as: walletOf(world), path });
    const closed = proof.payment_mandate.split("~~")[1] ?? "";
    expect(body["data"]).toMatchObject([
      { reference: sha256b64url(closed), amount_minor: 900, proof: { payee: shopOrigin, ...proof } },
    ]);
    expect((await api.send({ as: { ...walletOf(world), tenant: newId("tenant") }, path })).status).toBe(404);
    const kept = await world.database.asAdmin("select sealed from export_mandates where export_id = $1", [
      one.id,
    ]);
    expect(JSON.stringify(kept)).not.toContain("card_1");
    const [audited] = await world.database.asAdmin<{ payload: object }>(
      "select body::jsonb -> 'payload' as payload from audit_rows where subject = $1 and event = 'export.used'",
      [one.id],
    );
    expect(audited?.payload).toMatchObject({ amount_minor: 900, reference: sha256b64url(closed) });
  });
});

describe("O05 it counts once", () => {
  test("O05 told again, and by 20 at once, it is the same use", async () => {
    const one = await exported(mandate, 5_000);
    const proof = bought(one, 1_000);
    const told = await Promise.all(Array.from({ length: 20 }, () => tell(one.id, proof)));
    expect(told.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect((await tell(one.id, proof)).body["used_minor"]).toBe(1_000);
    expect(await budgetOf(world, mandate)).toMatchObject({ held: units(4_000), spent: units(1_000) });
  });

  test("O05 told by its issuer before, under the same reference, it is the same use, and of the same amount", async () => {
    const one = await exported(mandate, 5_000);
    const proof = bought(one, 1_000);
    const reference = sha256b64url(proof.payment_mandate.split("~~")[1] ?? "");
    await tell(one.id, { reference, amount_minor: 1_000 }, billing());
    expect((await tell(one.id, proof)).body["used_minor"]).toBe(1_000);
    expect(await budgetOf(world, mandate)).toMatchObject({ held: units(4_000), spent: units(1_000) });
    const other = bought(one, 10);
    const wrong = sha256b64url(other.payment_mandate.split("~~")[1] ?? "");
    await tell(one.id, { reference: wrong, amount_minor: 20 }, billing());
    expect((await tell(one.id, other)).body["code"]).toBe("export_mandate_invalid");
  });

  test("O05 one checkout is paid once, by whichever mandate and under whichever export", async () => {
    const checkout = openCheckout();
    const body = { kind: "ap2", open_checkout_digest: sha256b64url(checkout), amount_minor: 1_000 };
    const make = async (): Promise<Exported> => {
      const made = await post(`/api/v1/mandates/${mandate}/exports`, body, agentOf(world));
      return { id: made.body["id"] as Id<"charge">, open: String(made.body["credential"]), checkout };
    };
    const [first, second] = [await make(), await make()];
    const of = order(checkout);
    const proof = bought(first, 300, of);
    expect((await tell(first.id, proof)).status).toBe(200);
    for (const again of [
      await tell(first.id, bought(first, 300, of)),
      await tell(second.id, bought(second, 300, of)),
      await tell(second.id, proof),
    ])
      expect(again).toMatchObject({ status: 409, body: { code: "export_mandate_used" } });
    expect(await budgetOf(world, mandate)).toMatchObject({ held: units(1_700), spent: units(300) });
  });

  test("O05 a mandate for one use is closed once", async () => {
    const single = await giveMandate(world, { merchants: [shopOrigin], uses: "single" });
    const one = await exported(single.id, 5_000);
    expect((await tell(one.id, bought(one, 10))).status).toBe(200);
    expect(await tell(one.id, bought(one, 10))).toMatchObject({
      status: 409,
      body: { code: "export_mandate_used" },
    });
    expect(await budgetOf(world, single.id)).toMatchObject({ spent: units(10) });
  });

  test("C01 mandates that go beyond the limit together: all of it is spent, and no more, however they race", async () => {
    const one = await exported(mandate, 1_000);
    const told = await Promise.all(Array.from({ length: 8 }, () => tell(one.id, bought(one, 300))));
    const codes = told.map(({ status, body }) => (status === 200 ? "ok" : String(body["code"]))).toSorted();
    expect(codes).toEqual([
      ...Array.from({ length: 4 }, () => "export_closed"),
      "export_use_exceeds_limit",
      "ok",
      "ok",
      "ok",
    ]);
    expect(await budgetOf(world, mandate)).toMatchObject({ held: 0n, spent: units(1_000) });
    expect(await holds(mandate)).toBe(true);
  });
});

describe("what does not prove a use is refused, and nothing moves", () => {
  type Wrong = (one: Exported, of: Order) => { payment_mandate?: string; checkout_mandate?: string };
  const paying =
    (closed: (of: Order) => Closing): Wrong =>
    (one, of) => ({ payment_mandate: closing(one.open, closed(of)) });
  const cases: [string, Wrong, string][] = [
    [
      "another merchant",
      paying((of) => ({ content: payment(of, 10, { payee: { ...shop, website: "https://evil.test" } }) })),
      "not_allowed",
    ],
    [
      "another currency",
      paying((of) => ({ content: payment(of, 10, { payment_amount: { amount: 10, currency: "USD" } }) })),
      "not_allowed",
    ],
    ["more than one payment may be", paying((of) => ({ content: payment(of, 5_001) })), "not_allowed"],
    ["nothing at all", paying((of) => ({ content: payment(of, 0) })), "invalid"],
    ["a broken amount", paying((of) => ({ content: payment(of, 1.5) })), "invalid"],
    [
      "a date beyond the end",
      paying((of) => ({ content: payment(of, 10, { execution_date: "2999-01-01T00:00:00Z" }) })),
      "not_allowed",
    ],
    [
      "a time in the future",
      paying((of) => ({ content: payment(of, 10), claims: { iat: toNumericDate(world.clock.now()) + 120 } })),
      "invalid",
    ],
    [
      "a time before the open mandate",
      paying((of) => ({ content: payment(of, 10), claims: { iat: 1 } })),
      "not_allowed",
    ],
    ["an end before its beginning", paying((of) => ({ content: payment(of, 10, { exp: 1 }) })), "invalid"],
    ["another key", paying((of) => ({ key: generateJwk("ES256"), content: payment(of, 10) })), "invalid"],
    ["another typ", paying((of) => ({ typ: "kb+jwt", content: payment(of, 10) })), "invalid"],
    [
      "a mandate that is handed on",
      paying((of) => ({ content: payment(of, 10, { cnf: { jwk: publicJwkOf(world.agent.dpop) } }) })),
      "invalid",
    ],
    [
      "another open mandate's hash",
      paying((of) => ({ content: payment(of, 10), claims: { sd_hash: sha256b64url("x") } })),
      "invalid",
    ],
    ["no hash", paying((of) => ({ content: payment(of, 10), claims: { sd_hash: undefined } })), "invalid"],
    ["no nonce", paying((of) => ({ content: payment(of, 10), claims: { nonce: undefined } })), "invalid"],
    ["an open mandate alone", (one) => ({ payment_mandate: one.open }), "invalid"],
    [
      "a kind of mandate that is none for payments",
      paying((of) => ({ content: payment(of, 10, { vct: "mandate.checkout.1" }) })),
      "invalid",
    ],
    [
      "another checkout than it names",
      (one) => ({ checkout_mandate: order(one.checkout).mandate }),
      "invalid",
    ],
    [
      "a checkout under another agreement",
      () => ({ checkout_mandate: order(openCheckout()).mandate }),
      "not_allowed",
    ],
    [
      "a checkout that is another than its hash says",
      (one, of) => {
        const content = { vct: "mandate.checkout.1", checkout_jwt: "a.b.c", checkout_hash: of.transaction };
        return { checkout_mandate: closing(one.checkout, { content }) };
      },
      "invalid",
    ],
    [
      "a checkout that somebody else closed",
      (one, of) => {
        const content = { vct: "mandate.checkout.1", checkout_jwt: "a.b.c", checkout_hash: of.transaction };
        return { checkout_mandate: closing(one.checkout, { key: generateJwk("ES256"), content }) };
      },
      "invalid",
    ],
    [
      "an open mandate that we did not sign",
      (one, of) => {
        const [, payload = ""] = one.open.split(".");
        const claims: JsonObject = JSON.parse(Buffer.from(payload, "base64url").toString());
        const forged = `${signJws(generateJwk("ES256", world.keys.keyOf("mandate").kid), { typ: "dc+sd-jwt" }, claims)}~`;
        return { payment_mandate: closing(forged, { content: payment(of, 10) }) };
      },
      "invalid",
    ],
    [
      "an open mandate of ours that allows more",
      (one, of) => {
        const [, payload = ""] = one.open.split(".");
        const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
        const other = `${world.keys.signNow("mandate", { typ: "dc+sd-jwt" }, { ...claims, constraints: [] })}~`;
        return { payment_mandate: closing(other, { content: payment(of, 10) }) };
      },
      "invalid",
    ],
  ];

  test.each(cases)("%s", async (_what, wrong, code) => {
    const one = await exported(mandate, 5_000);
    const of = order(one.checkout);
    const told = await tell(one.id, { ...bought(one, 10, of), ...wrong(one, of) });
    expect(told).toMatchObject({ status: 422, body: { code: `export_mandate_${code}` } });
    expect(await budgetOf(world, mandate)).toMatchObject({ held: units(5_000), spent: 0n });
  });

  test("any character changed, in either chain", async () => {
    const one = await exported(mandate, 5_000);
    const proof = bought(one, 10);
    for (const member of ["payment_mandate", "checkout_mandate"] as const) {
      const text = proof[member];
      for (let at = 3; at < text.length; at += 41) {
        const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
        const told = await tell(one.id, { ...proof, [member]: changed });
        expect(told.body["code"], `${member} at ${at}`).toMatch(/^export_mandate_(invalid|not_allowed)$/);
      }
    }
    expect((await tell(one.id, proof)).status).toBe(200);
  });

  test("of an export in another protocol's words", async () => {
    const free = await giveMandate(world);
    const acp = { kind: "acp", merchant_id: "shop_1", checkout_session_id: "cs_1", amount_minor: 100 };
    const made = await post(`/api/v1/mandates/${free.id}/exports`, acp, agentOf(world));
    const one = await exported(mandate, 100);
    const told = await tell(made.body["id"] as Id<"charge">, bought(one, 10));
    expect(told.body["code"]).toBe("export_mandate_invalid");
  });

  test("T01 by another agent, by another service, or as a bare word of the agent's", async () => {
    const one = await exported(mandate, 5_000);
    const other = { ...agentOf(world), client: newId("agent") };
    expect(await tell(one.id, bought(one, 10), other)).toMatchObject({ status: 404 });
    expect(await tell(one.id, { reference: "x", amount_minor: 1 })).toMatchObject({ status: 403 });
    const portal = { ...billing(), client: "wallet" };
    expect(await tell(one.id, bought(one, 10), portal)).toMatchObject({ status: 403 });
    expect(await tell(one.id, bought(one, 10), billing())).toMatchObject({ status: 200 });
  });
});
