import { assetOf, instantOf, money, newId } from "@remit/kernel";
import type { RefundStanding, Standing } from "@remit/rails";
import { describe, expect, test } from "vitest";
import { type Decision, decide, decideRefund } from "./decisions.ts";
import type { Payment, PaymentState } from "./payment.ts";

const usd = assetOf("USD");
if (usd === undefined) throw new TypeError("USD is an asset");
const amount = money(usd, 1000n);
const reference = "pi_1";

const payment = (state: PaymentState, more: Partial<Payment> = {}): Payment => ({
  id: newId("payment"),
  tenant: newId("tenant"),
  charge: newId("charge"),
  generation: 1,
  payee: newId("tenant"),
  merchant: newId("merchant"),
  rail: "card",
  customer: "cus_1",
  method: "pm_1",
  transfer: null,
  settledBy: null,
  amount,
  destination: null,
  fee: null,
  state,
  attempt: 1,
  reference,
  releaseWanted: false,
  capture: amount,
  captured: money(usd, 0n),
  refunded: money(usd, 0n),
  declineCode: null,
  leasedUntil: instantOf(0),
  stateSince: instantOf(0),
  ...more,
});

const standings: readonly Standing[] = [
  { kind: "absent" },
  { kind: "prepared", reference },
  { kind: "authorized", reference, amount },
  { kind: "captured", reference, amount },
  { kind: "released", reference },
  { kind: "declined", reference, code: "insufficient_funds" },
  { kind: "requires_action", reference },
  { kind: "refused", because: "amount_too_small" },
  { kind: "unknown", because: "timeout" },
];
const toldBy = (decision: Decision): string => (decision.kind === "become" ? decision.state : decision.kind);
const table = (of: Payment): string => standings.map((standing) => toldBy(decide(of, standing))).join(" ");

describe("what becomes of a payment", () => {
  // In the order: absent prepared authorized captured released declined requires_action refused unknown.
  test.each([
    ["authorizing", {}, "again again authorized wait released declined requires_action declined wait"],
    [
      "authorizing",
      { releaseWanted: true },
      "released releasing releasing wait released declined releasing declined wait",
    ],
    ["capturing", {}, "wait wait again captured released releasing wait releasing wait"],
    ["releasing", {}, "wait again again captured released again again wait wait"],
    ["authorized", {}, "wait wait wait captured released wait wait wait wait"],
    ["requires_action", {}, "wait wait authorized captured released wait wait wait wait"],
    ["captured", {}, "wait wait wait wait wait wait wait wait wait"],
    ["declined", {}, "wait wait wait wait wait wait wait wait wait"],
    ["refunding", {}, "wait wait wait wait wait wait wait wait wait"],
  ] as const)("%s %j: %s", (state, more, expected) => {
    expect(table(payment(state, more))).toBe(expected);
  });

  test("a lost answer never changes a state, whatever it was", () => {
    for (const because of ["timeout", "connection", "server_error", "busy", "unexpected"] as const)
      for (const state of ["authorizing", "capturing", "releasing"] as const)
        expect(decide(payment(state), { kind: "unknown", because })).toEqual({ kind: "wait", because });
  });

  test("amounts that are not those asked for are a contradiction, and nothing is booked", () => {
    const other = { asset: usd, units: 1001n };
    const contradiction = { kind: "wait", because: "contradiction" };
    expect(decide(payment("authorizing"), { kind: "authorized", reference, amount: other })).toEqual(
      contradiction,
    );
    expect(decide(payment("capturing"), { kind: "captured", reference, amount: other })).toEqual(
      contradiction,
    );
  });

  test("what is captured is what the provider says was captured", () => {
    const part = money(usd, 800n);
    expect(decide(payment("capturing"), { kind: "captured", reference, amount: part })).toEqual({
      kind: "become",
      state: "captured",
      captured: part,
    });
  });
});

describe("what becomes of a refund", () => {
  const decided = (standing: RefundStanding) => decideRefund(amount, standing).kind;
  test("only the provider's word ends it; another amount is a contradiction", () => {
    expect(decided({ kind: "refunded", refund: "re_1", amount })).toBe("refunded");
    expect(decided({ kind: "refunded", refund: "re_1", amount: money(usd, 999n) })).toBe("wait");
    expect(decided({ kind: "refused", because: "charge_disputed" })).toBe("refused");
    expect(decided({ kind: "absent" })).toBe("again");
    expect(decided({ kind: "unknown", because: "timeout" })).toBe("wait");
  });
});
