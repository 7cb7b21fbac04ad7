import { hourMs, type Id, minuteMs, newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { changeStanding } from "../src/agents/index.ts";
import { checkBudget } from "../src/mandates/index.ts";
import { type Api, merchantOf, openApi, personOf } from "./charging/api.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  own,
  purchase,
  refusalOf,
  type TestAgent,
  type World,
} from "./charging/world.ts";

let world: World;
let api: Api;
let mandate: IssuedTestMandate;
let agent: TestAgent;

beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});
beforeEach(async () => {
  // Each test has an agent of its own: what one may ask at once is counted per agent.
  agent = await newAgent(world.db, world);
  mandate = await giveMandate(world, { step_up: [{ above_minor: 500 }] }, agent);
});

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const charge = (wanted: Partial<Parameters<typeof purchase>[1]> = {}) =>
  world.charges.create(asMerchant(world), purchase(world, { mandate, agent, amount: 1_000, ...wanted }));

/** A purchase that waits, and the question about it. */
async function waiting(wanted: Partial<Parameters<typeof purchase>[1]> = {}) {
  const pending = await charge(wanted);
  expect(pending.state).toBe("pending_approval");
  return { pending, named: namedOf(pending.asking?.approval ?? newId("approval")) };
}

const namedOf = (id: Id<"approval">) => ({ tenant: world.payer, principal: world.principal, id });
const by = () => ({ account: world.principal });
const chargeNow = async (id: Id<"charge">) =>
  (await world.charges.show({ side: "payee", ...asMerchant(world) }, id))?.charge;
const recover = (id: Id<"charge">) => world.charges.recover(world.payer, id);

async function audited(tenant: string, subject: string): Promise<string[]> {
  const rows = await world.database.asAdmin<{ event: string }>(
    "select event from audit_rows where tenant_id = $1 and subject = $2",
    [tenant, subject],
  );
  return rows.map(({ event }) => event).toSorted();
}

describe("a purchase above the principal's trigger", () => {
  test("waits with its budget held, and billing hears nothing of it before the yes", async () => {
    expect((await charge({ amount: 500 })).state).toBe("authorized");
    const { pending, named } = await waiting({ amount: 501 });
    expect(pending.asking?.until).toBe(pending.createdAt + 10 * minuteMs);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_001) });
    await recover(pending.id);
    expect(world.billing.done.filter((line) => line.endsWith(pending.id))).toEqual([]);
    await world.approvals.deny(named, by());
  });

  test("goes on with a yes, and is captured by the merchant as any other", async () => {
    const { pending, named } = await waiting();
    const { state } = await world.approvals.approve(named, by());
    expect(state).toBe("approved");
    await recover(pending.id);
    expect(await chargeNow(pending.id)).toMatchObject({ state: "authorized", asking: undefined });
    const captured = await world.charges.capture(own(world, pending.id), order);
    expect(captured.state).toBe("captured");
    const events = ["authorized", "authorizing", "captured", "capturing", "held", "pending_approval"];
    for (const tenant of [world.payer, world.payee])
      expect(await audited(tenant, pending.id)).toEqual(events.map((event) => `charge.${event}`));
    expect(await audited(world.payer, named.id)).toEqual(["approval.answered", "approval.asked"]);
    expect(await audited(world.payee, named.id)).toEqual([]);
  });

  test("that the merchant captures at once is captured after the yes, whoever died in between", async () => {
    const { pending, named } = await waiting({ request: { capture: "automatic" } });
    await world.approvals.approve(named, by());
    world.billing.fail("hold", "answer_lost");
    for (let look = 0; look < 5 && (await recover(pending.id)) !== undefined; look++);
    expect(await chargeNow(pending.id)).toMatchObject({ state: "captured", capturedMinor: 1_000n });
    expect(world.billing.done.filter((line) => line.endsWith(pending.id))).toEqual([
      `hold ${pending.id}`,
      `capture ${pending.id}`,
    ]);
  });

  test("and revoked before recovery captures it, it is released: to be refused is an end, and no failure of the job", async () => {
    const { pending, named } = await waiting({ request: { capture: "automatic" } });
    await world.approvals.approve(named, by());
    for (let look = 0; look < 5 && (await chargeNow(pending.id))?.state !== "authorized"; look++)
      await recover(pending.id);
    const actor = { type: "account", id: world.principal } as const;
    await world.db
      .of(world.payer)
      .transaction((tx) => world.mandates.revokeWithin(tx, mandate.id, { because: "test", actor }));
    expect(await recover(pending.id)).toBeUndefined();
    expect(await chargeNow(pending.id)).toMatchObject({ state: "released" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n });
  });

  test("the first purchase at a merchant is asked about, until one was made there", async () => {
    mandate = await giveMandate(world, { step_up: [{ first_purchase_at_merchant: true }] }, agent);
    const { pending, named } = await waiting({ amount: 1 });
    await world.approvals.approve(named, by());
    await recover(pending.id);
    await world.charges.capture(own(world, pending.id), order);
    expect((await charge({ amount: 1 })).state).toBe("authorized");
  });

  test("its time to be served begins with the yes", async () => {
    const { pending, named } = await waiting();
    world.clock.advance(9 * minuteMs);
    await world.approvals.approve(named, by());
    await recover(pending.id);
    const shown = await chargeNow(pending.id);
    expect(shown?.serveBy).toBe(world.clock.now() + 5 * minuteMs);
    world.clock.advance(5 * minuteMs);
    await recover(pending.id);
    expect(await chargeNow(pending.id)).toMatchObject({ state: "released" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, uses: 0 });
  });
});

describe("a no, silence, and second thoughts release the hold", () => {
  test("a no declines it, at once and for good", async () => {
    const { pending, named } = await waiting();
    await world.approvals.deny(named, { ...by(), reason: "Too much" });
    expect(await chargeNow(pending.id)).toMatchObject({ state: "declined", because: "approval_denied" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, uses: 0 });
    expect(await refusalOf(world.approvals.approve(named, by()))).toBe("approval_answered");
    await expect(world.charges.capture(own(world, pending.id), order)).rejects.toMatchObject({
      code: "charge_state_conflict",
    });
  });

  test("nobody answers: it expires on the second, and a yes comes too late", async () => {
    const { pending, named } = await waiting();
    world.clock.advance(10 * minuteMs - 1);
    expect(await world.approvals.expire(named)).toBe(pending.asking?.until);
    world.clock.advance(1);
    expect(await refusalOf(world.approvals.approve(named, by()))).toBe("approval_expired");
    expect(await world.approvals.expire(named)).toBeUndefined();
    expect(await chargeNow(pending.id)).toMatchObject({ state: "expired", because: "approval_expired" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, uses: 0 });
    expect(await audited(world.payee, pending.id)).toEqual([
      "charge.expired",
      "charge.held",
      "charge.pending_approval",
    ]);
  });

  test("the merchant lets it go: the question goes with it", async () => {
    const { pending, named } = await waiting();
    const released = await world.charges.release(own(world, pending.id), "cancelled");
    expect(released.state).toBe("released");
    expect((await world.approvals.find(named))?.state).toBe("expired");
    expect(await refusalOf(world.approvals.approve(named, by()))).toBe("approval_expired");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n });
  });
});

describe("C11 one answer", () => {
  test("C11 approve and deny at once, from many devices: one final state, and the budget says the same", async () => {
    for (let round = 0; round < 5; round++) {
      const { pending, named } = await waiting();
      const answers = await Promise.allSettled(
        Array.from({ length: 6 }, (_, at) =>
          (at + round) % 2 === 0 ? world.approvals.approve(named, by()) : world.approvals.deny(named, by()),
        ),
      );
      const states = new Set(answers.flatMap((one) => (one.status === "fulfilled" ? [one.value.state] : [])));
      expect(states.size).toBe(1);
      for (const one of answers)
        if (one.status === "rejected")
          expect(one.reason).toMatchObject({ code: "approval_answered", extra: { answer: [...states][0] } });
      await recover(pending.id);
      const won = states.has("approved");
      expect(await chargeNow(pending.id)).toMatchObject({ state: won ? "authorized" : "declined" });
      await world.charges.release(own(world, pending.id), "cancelled");
    }
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n, uses: 0 });
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  });

  test("C11 a yes and the merchant's release at once: whichever was first, nothing stays held", async () => {
    for (let round = 0; round < 5; round++) {
      const { pending, named } = await waiting();
      const [yes] = await Promise.allSettled([
        world.approvals.approve(named, by()),
        world.charges.release(own(world, pending.id), "cancelled").catch((error: unknown) => {
          if (!(error instanceof Problem)) throw error;
        }),
      ]);
      if (yes.status === "rejected") expect(yes.reason).toMatchObject({ code: "approval_expired" });
      world.clock.advance(hourMs);
      await recover(pending.id);
      expect(await chargeNow(pending.id)).toMatchObject({ state: "released" });
    }
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, uses: 0 });
  });
});

describe("only what still stands goes on with a yes", () => {
  test("C12 a mandate that was revoked meanwhile: the yes is refused, and nothing moves", async () => {
    const { pending, named } = await waiting();
    const actor = { type: "account", id: world.principal } as const;
    await world.db
      .of(world.payer)
      .transaction((tx) => world.mandates.revokeWithin(tx, mandate.id, { because: "test", actor }));
    expect(await refusalOf(world.approvals.approve(named, by()))).toBe("mandate_revoked");
    expect((await world.approvals.find(named))?.state).toBe("pending");
    expect(world.billing.asked.filter((line) => line === `hold ${pending.id}`)).toEqual([]);
    world.clock.advance(10 * minuteMs);
    await world.approvals.expire(named);
    expect(await chargeNow(pending.id)).toMatchObject({ state: "expired" });
  });

  test("a suspended agent's purchase goes on once the agent is resumed", async () => {
    const { named } = await waiting();
    const become = (to: "suspended" | "active") =>
      world.db.of(world.operator).transaction((tx) =>
        changeStanding(tx, agent.id, {
          to,
          by: { type: "client", id: "test" },
          now: world.clock.now(),
        }),
      );
    await become("suspended");
    expect(await refusalOf(world.approvals.approve(named, by()))).toBe("agent_suspended");
    await become("active");
    expect((await world.approvals.approve(named, by())).state).toBe("approved");
  });

  test("T01 nobody but the mandate's principal answers", async () => {
    const { named } = await waiting();
    const stranger = { ...named, principal: newId("account") };
    expect(await refusalOf(world.approvals.approve(stranger, { account: stranger.principal }))).toBe(
      "not_found",
    );
    const foreign = { ...named, tenant: world.payee };
    expect(await refusalOf(world.approvals.deny(foreign, by()))).toBe("not_found");
  });
});

test("G02 an agent has at most five purchases waiting, and a sixth holds nothing", async () => {
  const asked = await Promise.allSettled(Array.from({ length: 8 }, () => charge({ amount: 600 })));
  const codes = asked.map((one) =>
    one.status === "rejected" ? String(Object(one.reason).code) : one.value.state,
  );
  expect(codes.toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => "approval_limit_reached"),
    ...Array.from({ length: 5 }, () => "pending_approval"),
  ]);
  expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(3_000), uses: 5 });
});

describe("a card whose issuer wants its holder", () => {
  test("is put to the principal, is never tried again unseen, and goes on once the issuer has its answer", async () => {
    world.billing.fail("hold", "requires_action");
    const { pending, named } = await waiting({ amount: 400, request: { capture: "automatic" } });
    expect(pending).toMatchObject({ because: "authentication_required" });
    expect((await world.approvals.find(named))?.subject).toMatchObject({ kind: "sca" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(400) });
    expect(await refusalOf(world.approvals.approve(named, by()))).toBe("authentication_pending");
    await recover(pending.id);
    expect((await chargeNow(pending.id))?.state).toBe("pending_approval");
    world.billing.confirm(pending.id);
    expect((await world.approvals.approve(named, by())).state).toBe("approved");
    await recover(pending.id);
    expect(await chargeNow(pending.id)).toMatchObject({ state: "captured" });
    expect(world.billing.asked.filter((verb) => verb === `hold ${pending.id}`)).toHaveLength(1);
  });

  test("goes on as well when the holder confirms and never comes back here", async () => {
    world.billing.fail("hold", "requires_action");
    const { pending, named } = await waiting({ amount: 400 });
    world.billing.confirm(pending.id);
    await recover(pending.id);
    expect(await chargeNow(pending.id)).toMatchObject({ state: "authorized" });
    expect((await world.approvals.find(named))?.state).toBe("approved");
    expect((await world.approvals.approve(named, by())).state).toBe("approved");
  });

  test.each(["deny", "silence", "release"] as const)(
    "after %s the payment is let go of before the budget",
    async (how) => {
      world.billing.fail("hold", "requires_action");
      const { pending, named } = await waiting({ amount: 400 });
      if (how === "deny") await world.approvals.deny(named, by());
      if (how === "release") await world.charges.release(own(world, pending.id), "cancelled");
      if (how === "silence") {
        world.clock.advance(10 * minuteMs);
        await world.approvals.expire(named);
      }
      if (how !== "release") expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(400) });
      await recover(pending.id);
      expect(await chargeNow(pending.id)).toMatchObject({ state: "released" });
      expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, uses: 0 });
      expect((await world.approvals.find(named))?.state).toBe(how === "deny" ? "denied" : "expired");
    },
  );
});

describe("over the wire", () => {
  const post = (request: object, key?: string) =>
    api.send({
      as: merchantOf(world),
      method: "POST",
      path: "/api/v1/charges",
      body: request,
      ...(key === undefined ? {} : { key }),
    });
  const wallet = () => personOf(world);
  const path = (id: unknown, verb = "") => `/api/v1/approvals/${String(id)}${verb}`;

  test("G03 202 says until when; the question is made of the signed offer, the agent's words stand apart", async () => {
    const request = purchase(world, { mandate, agent, amount: 1_000, reason: "The report you wanted" });
    const held = await post(request, "one-key");
    expect(held.status).toBe(202);
    expect(held.body).toMatchObject({ status: "pending_approval", amount_minor: 1_000 });
    expect(held.headers.get("retry-after")).toBe("2");
    const { approval_id: id, approve_by: until } = held.body;
    const { body } = await api.send({ as: wallet(), path: path(id) });
    expect(body).toMatchObject({
      kind: "charge",
      status: "pending",
      expires_at: until,
      mandate_id: mandate.id,
      purchase: {
        charge_id: held.body["id"],
        merchant: { id: world.merchant.id, origin: "https://shop.test", name: "Shop" },
        offer: { name: "A report", digest: held.body["offer_digest"] },
        amount_minor: 1_000,
        remaining_minor: 9_000,
        because: "above_limit",
        reason: "The report you wanted",
      },
    });
    expect(JSON.stringify(Object(body["purchase"]).sentences)).toContain(
      "Pay 10.00 EUR to https://shop.test",
    );
    // The same request again is the same purchase, and tells what has become of it.
    expect((await post(request, "one-key")).status).toBe(202);
    expect((await post(request, "another-key")).body["id"]).toBe(held.body["id"]);
    await api.send({ as: wallet(), method: "POST", path: path(id, "/approve") });
    await recover(Object(held.body).id);
    expect(await post(request, "one-key")).toMatchObject({ status: 201, body: { status: "authorized" } });
  });

  test("a no is told to the merchant as the principal's", async () => {
    const request = purchase(world, { mandate, agent, amount: 1_000 });
    const held = await post(request);
    const denied = await api.send({
      as: wallet(),
      method: "POST",
      path: path(held.body["approval_id"], "/deny"),
      body: { reason: "No" },
    });
    expect(denied.body).toMatchObject({ status: "denied" });
    expect(await post(request)).toMatchObject({ status: 403, body: { code: "approval_denied" } });
  });

  test("A16 whoever has a passkey says yes with an assertion over this very purchase, which is kept", async () => {
    const held = await post(purchase(world, { mandate, agent, amount: 1_000 }));
    const id = held.body["approval_id"];
    api.passkey.has = true;
    try {
      const { body } = await api.send({ as: wallet(), path: path(id) });
      const { challenge, passkey } = Object(body["confirm"]);
      expect(JSON.parse(passkey)).toEqual({ challenge });
      const approve = (assertion?: string) =>
        api.send({
          as: wallet(),
          method: "POST",
          path: path(id, "/approve"),
          body: assertion === undefined ? {} : { assertion },
        });
      expect(await approve()).toMatchObject({ status: 403, body: { code: "step_up_refused" } });
      expect(await approve("of another purchase")).toMatchObject({ body: { code: "passkey_refused" } });
      expect(await approve(challenge)).toMatchObject({ status: 200, body: { status: "approved" } });
    } finally {
      api.passkey.has = false;
    }
    const kept = await world.database.asAdmin(
      `select count(sealed_answer)::int as count from approvals where id = '${String(id)}'`,
    );
    expect(kept).toEqual([{ count: 1 }]);
  });

  test("a wallet that waits hears of a purchase at once, and of its answer on another device", async () => {
    const list = (etag: string | null, waitS = 20) =>
      api.send({
        as: wallet(),
        path: `/api/v1/approvals?status=pending&limit=100&wait_s=${waitS}`,
        headers: etag === null ? {} : { "if-none-match": etag },
      });
    const before = await list(null);
    const etag = before.headers.get("etag");
    expect((await list(etag, 0)).status).toBe(304);
    const hearing = list(etag);
    const held = await post(purchase(world, { mandate, agent, amount: 1_000 }));
    const heard = await hearing;
    expect(JSON.stringify(heard.body)).toContain(String(held.body["approval_id"]));
    const answered = list(heard.headers.get("etag"));
    await api.send({ as: wallet(), method: "POST", path: path(held.body["approval_id"], "/deny") });
    expect((await answered).headers.get("etag")).toBe(etag);
  });

  test("D12 the 21st request of a person that would wait is told to come again, and one that need not wait is answered", async () => {
    const list = (waitS: number, etag = "") =>
      api.send({
        as: wallet(),
        path: `/api/v1/approvals?status=pending&limit=100&wait_s=${waitS}`,
        headers: { "if-none-match": etag },
      });
    const etag = (await list(0)).headers.get("etag") ?? "";
    const all = Array.from({ length: 21 }, () => list(2, etag));
    expect(await Promise.race(all)).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect((await list(2)).status).toBe(200);
    const held = await post(purchase(world, { mandate, agent, amount: 1_000 }));
    const answers = (await Promise.all(all)).map(({ status }) => status);
    expect(answers.toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 20 }, () => 200), 429]);
    await api.send({ as: wallet(), method: "POST", path: path(held.body["approval_id"], "/deny") });
  });

  test.each(["wait_s=26", "wait_s=-1", "wait_s=x"])("V07 ?%s is refused", async (query) => {
    expect((await api.send({ as: wallet(), path: `/api/v1/approvals?${query}` })).status).toBe(400);
  });

  test("V06 a reason with control characters is none of a signed presentation", async () => {
    const request = purchase(world, { mandate, agent, amount: 1_000, reason: "pay\u202Eme" });
    expect((await post(request)).body["code"]).toBe("mandate_kb_invalid");
  });
});
