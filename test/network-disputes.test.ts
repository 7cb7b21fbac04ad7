import { createHmac } from "node:crypto";
import { type Id, parseId, systemClock, toNumericDate } from "@remit/kernel";
import type { Charge, Dispute, DisputeStatus } from "@remit/merchant";
import type { JsonObject } from "@remit/protocol";
import { eventually, switchesOf } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callersOf } from "./callers.ts";
import { auditOf, type Instance, ledgerOf, paymentIntentsOf, read, startInstance } from "./instance.ts";
import { type ShopBuyer, type ShopOwner, shopBuyerOf, shopOwnerOf } from "./shop-owner.ts";

// A cardholder's bank disputes what a mandate bought: Stripe tells billing, billing books it and tells the authorization server,
// where merchant and principal see it. All of them are the real ones; Stripe is the sandbox's.
let remit: Instance;
let shop: ShopOwner;
let sandbox: ReturnType<typeof switchesOf>;
let asPrincipal: (method: "GET" | "POST", path: string, body?: object) => Promise<JsonObject>;

beforeAll(async () => {
  remit = await startInstance();
  shop = await shopOwnerOf(remit.dev);
  sandbox = switchesOf(() => remit.dev.sandbox);
  const callers = await callersOf(remit);
  asPrincipal = async (method, path, body) => {
    const url = remit.dev.issuer + path;
    const headers = await callers.headersFor(["wallet:read"], { method, url });
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    const sent = {
      ...headers,
      "content-type": "application/json",
      "idempotency-key": `${path}.${Math.floor(systemClock.now())}`,
    };
    const answer = await fetch(url, { method, headers: sent, ...json });
    return (await answer.json()) as JsonObject; // every answer of the service is a JSON object
  };
});
afterAll(() => remit?.close());

type Bought = { readonly charge: Charge; readonly buyer: ShopBuyer; readonly intent: string };

async function bought(): Promise<Bought> {
  const buyer = await shopBuyerOf(remit.dev, 5_000);
  const charge = await shop.merchant.charge(await shop.request(buyer));
  expect(charge.status).toBe("captured");
  const made = await paymentIntentsOf(remit.dev);
  const intent = made.find(({ metadata }) => metadata.charge === charge.id)?.id ?? "";
  return { charge, buyer, intent };
}

/** As the merchant's program has it, once the news has come through both services. */
const stands = ({ charge }: Bought, status: DisputeStatus): Promise<Dispute> =>
  eventually(async () => {
    const { data } = await shop.merchant.disputes.list({ chargeId: charge.id });
    expect(data).toMatchObject([{ origin: "network", status }]);
    const [dispute] = data;
    if (dispute === undefined) throw new TypeError("there is no dispute");
    return dispute;
  });

const owed = async (): Promise<number> => (await shop.books.balances())[0]?.owedMinor ?? 0;
const kindsOf = async ({ charge }: Bought): Promise<string[]> => {
  const { data } = await read(remit.dev, `${remit.dev.billing}/api/v1/ledger/entries?charge=${charge.id}`);
  return (data as { kind: string; transition: string }[])
    .map(({ kind, transition }) => `${kind} ${transition}`)
    .toSorted((one, other) => one.localeCompare(other));
};
const spentOf = async ({ buyer }: Bought): Promise<unknown> => {
  const { held_minor, spent_minor } = await asPrincipal("GET", `/api/v1/mandates/${buyer.mandate}`);
  return { held_minor, spent_minor };
};
const seenByPrincipal = async ({ charge }: Bought): Promise<unknown> =>
  (await asPrincipal("GET", `/api/v1/wallet/disputes?charge_id=${charge.id}`))["data"];
/** What the payer's log has of it, in order. */
const audited = async (dispute: Id<"dispute">): Promise<string[]> => {
  const events: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const at = cursor === undefined ? "" : `&cursor=${cursor}`;
    const page = await read(remit.dev, `${remit.dev.issuer}/api/v1/audit?limit=1000${at}`);
    const { data, next_cursor: next } = page as {
      data: { event: string; subject: string }[];
      next_cursor: string | null;
    };
    events.push(
      ...data
        .filter(({ subject, event }) => subject === dispute && event !== "dispute.reported")
        .map(({ event }) => event),
    );
    if (next === null) return events;
    cursor = next;
  }
};
const areTrue = async (): Promise<void> => {
  expect(await ledgerOf(remit.dev)).toMatchObject({ balanced: true });
  await eventually(async () => expect(await auditOf(remit.dev)).toMatchObject({ verified: true }));
};

type Event = {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly object: { readonly id: string } };
};

/** What Stripe has told of a dispute, told again, each twice, the last first. */
async function tellAgain(dispute: string): Promise<void> {
  const answer = await fetch(`${remit.dev.sandbox}/sandbox/events`);
  const { data } = (await answer.json()) as { data: Event[] };
  const news = data.filter(({ data: { object } }) => object.id === dispute).toReversed();
  expect(news.length).toBeGreaterThan(0);
  for (const event of [...news, ...news.toReversed()]) {
    const body = JSON.stringify(event);
    const at = toNumericDate(systemClock.now());
    const mac = createHmac("sha256", "whsec_remit_embedded").update(`${at}.${body}`).digest("hex");
    const told = await fetch(`${remit.dev.billing}/api/v1/webhooks/stripe`, {
      method: "POST",
      body,
      headers: { "stripe-signature": `t=${at},v1=${mac}` },
    });
    expect(told.status).toBe(200);
  }
}

// Of 10.00 the merchant has 9.41; the card network takes 10.00 for the time of a dispute, and keeps 15.00 for it.
describe("M21 a dispute that the card network opens", () => {
  test("reaches the merchant and the principal, is answered, and won: the money is back, its fee is not", async () => {
    const buy = await bought();
    const before = await owed();
    const reference = await sandbox.dispute(buy.intent);
    const opened = await stands(buy, "needs_response");
    expect(opened).toMatchObject({ amountMinor: 1_000, currency: "USD", refund: "none" });
    expect(await seenByPrincipal(buy)).toMatchObject([{ id: opened.id, origin: "network" }]);
    await eventually(async () => expect(await owed()).toBe(before - 2_500));
    const answered = await shop.merchant.disputes.answer(opened.id, "It was delivered at once.");
    expect(answered.status).toBe("under_review");
    await sandbox.decide(reference, "won");
    expect((await stands(buy, "won")).decidedAt).not.toBeNull();
    await eventually(async () => expect(await owed()).toBe(before - 1_500));
    // A charge that was disputed is as captured as before: it can be given back.
    expect((await shop.merchant.chargeOf(buy.charge.id)).status).toBe("captured");
    await eventually(async () =>
      expect(await audited(opened.id)).toEqual(["dispute.opened", "dispute.answered", "dispute.won"]),
    );
    await areTrue();
  });

  test("and that is lost stays with the merchant: no budget comes back, and nothing can be given back twice", async () => {
    const buy = await bought();
    const before = await owed();
    const reference = await sandbox.dispute(buy.intent);
    const opened = await stands(buy, "needs_response");
    const principals = await asPrincipal("POST", "/api/v1/wallet/disputes", {
      receipt_id: await receiptOf(buy),
      reason: "not_delivered",
      statement: "Nothing came.",
    });
    expect(principals["code"]).toBe("dispute_not_possible");
    expect((await shop.merchant.disputes.accept(opened.id)).status).toBe("lost");
    await stands(buy, "lost");
    await eventually(async () => expect(await owed()).toBe(before - 2_500));
    const again = await shop.merchant
      .refund(buy.charge.id, { idempotencyKey: `twice-${buy.charge.id}` })
      .catch((error: unknown) => error);
    expect(again).toMatchObject({ code: "refund_refused" });
    expect(await shop.merchant.chargeOf(buy.charge.id)).toMatchObject({
      status: "captured",
      refundedMinor: 0,
    });
    expect(await spentOf(buy)).toEqual({ held_minor: 0, spent_minor: 1_000 });
    await eventually(async () =>
      expect(await audited(opened.id)).toEqual(["dispute.opened", "dispute.lost"]),
    );
    expect(reference).not.toBe("");
    await areTrue();
  });

  test("is one dispute and one entry for each movement, however often and in whatever order it is told", async () => {
    const buy = await bought();
    const reference = await sandbox.dispute(buy.intent);
    await tellAgain(reference);
    const { id } = await stands(buy, "needs_response");
    await sandbox.decide(reference, "won");
    await Promise.all([tellAgain(reference), tellAgain(reference)]);
    await stands(buy, "won");
    const kinds = await eventually(async () => {
      const found = await kindsOf(buy);
      expect(found.filter((kind) => kind.startsWith("dispute"))).toHaveLength(3);
      return found;
    });
    await tellAgain(reference);
    expect(await kindsOf(buy)).toEqual(kinds);
    expect((await stands(buy, "won")).id).toBe(id);
    await eventually(async () => expect(await audited(id)).toEqual(["dispute.opened", "dispute.won"]));
    await areTrue();
  });

  test("ends its principal's own about the same charge: one movement, both to be seen, and opened again once the network lets go", async () => {
    const buy = await bought();
    const before = await owed();
    const opened = await disputedBy(buy);
    const reference = await sandbox.dispute(buy.intent);
    const theirs = await eventually(async () => {
      const data = await seenByPrincipal(buy);
      expect(data).toMatchObject([
        { origin: "network", status: "needs_response" },
        { id: opened["id"], status: "withdrawn", because: "at_network", refund: "none" },
      ]);
      return data;
    });
    const { data } = await shop.merchant.disputes.list({ chargeId: buy.charge.id });
    expect(data.map(({ id }) => id)).toEqual((theirs as { id: string }[]).map(({ id }) => id));
    await eventually(async () => expect(await owed()).toBe(before - 2_500));
    expect((await kindsOf(buy)).filter((kind) => kind.startsWith("refund"))).toEqual([]);
    await sandbox.decide(reference, "won");
    await eventually(async () => expect(await owed()).toBe(before - 1_500));
    await eventually(async () =>
      expect(await seenByPrincipal(buy)).toMatchObject([{ status: "won" }, { status: "withdrawn" }]),
    );
    const again = await disputedBy(buy);
    await shop.merchant.disputes.accept(disputeIn(again));
    await eventually(async () =>
      expect(await seenByPrincipal(buy)).toMatchObject([
        // Stripe gives nothing back of a charge that was disputed, whoever has won: that is said to both.
        { id: again["id"], status: "lost", refund: "refused" },
        { status: "won" },
        { status: "withdrawn" },
      ]),
    );
    expect(await owed()).toBe(before - 1_500);
    expect(await spentOf(buy)).toEqual({ held_minor: 0, spent_minor: 1_000 });
    await areTrue();
  });

  test("gives out no evidence as long as the agent's token in it could be spent", async () => {
    const buy = await bought();
    await sandbox.dispute(buy.intent);
    await stands(buy, "needs_response");
    const early = await shop.merchant.evidenceOf(buy.charge.id).catch((error: unknown) => error);
    expect(early).toMatchObject({ code: "evidence_not_ready" });
  });
});

/** The principal's own dispute of it, open. */
async function disputedBy(buy: Bought): Promise<JsonObject> {
  const opened = await asPrincipal("POST", "/api/v1/wallet/disputes", {
    receipt_id: await receiptOf(buy),
    reason: "not_delivered",
    statement: "Nothing came.",
  });
  expect(opened).toMatchObject({ origin: "principal", status: "needs_response" });
  return opened;
}

function disputeIn({ id }: JsonObject): Id<"dispute"> {
  const dispute = parseId("dispute", typeof id === "string" ? id : "");
  if (dispute === undefined) throw new TypeError("it has no id");
  return dispute;
}

async function receiptOf({ charge }: Bought): Promise<Id<"receipt"> | undefined> {
  const claims = JSON.parse(Buffer.from(charge.receipt?.split(".")[1] ?? "", "base64url").toString()) as {
    jti?: string;
    id?: string;
  };
  return parseId("receipt", claims.jti ?? claims.id ?? "");
}
