import { assetOf, instantOf, invariant, minuteMs, money, newId, secondMs } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import {
  type Charge,
  type ChargeState,
  moveOn,
  type Payment,
  type PaymentState,
  type Seen,
} from "./charges.ts";
import { type CommitFacts, mayCapture, mayCommit } from "./commit-point.ts";
import { lookAgainAt, recover } from "./recovery.ts";

const now = instantOf(1_800_000_000_000);
const eur = assetOf("EUR");
invariant(eur !== undefined, "EUR is known");

function charge(change: Partial<Charge> = {}): Charge {
  return {
    id: newId("charge"),
    payer: newId("tenant"),
    payee: newId("tenant"),
    mandate: newId("mandate"),
    agent: newId("agent"),
    merchant: newId("merchant"),
    merchantClient: "cli",
    merchantOrigin: "https://shop.test",
    state: "authorizing",
    generation: 1,
    captureMode: "manual",
    commits: false,
    amount: money(eur as NonNullable<typeof eur>, 1_000n),
    capture: undefined,
    refunded: money(eur as NonNullable<typeof eur>, 0n),
    refunding: undefined,
    rail: "card",
    instrument: undefined,
    payment: undefined,
    paymentReference: undefined,
    because: undefined,
    offer: { id: "off", evidence: "", digest: "", key: { kty: "OKP", crv: "Ed25519", x: "" } },
    mandateHash: "",
    presentationHash: "",
    token: {
      iss: "",
      sub: "",
      aud: "",
      client_id: "",
      jti: "",
      iat: 0,
      exp: 0,
      scope: [],
      organization_id: newId("tenant"),
      livemode: false,
    },
    responseDigest: undefined,
    requestDigest: undefined,
    serveBy: instantOf(now + minuteMs),
    captureBy: instantOf(now + 60 * minuteMs),
    createdAt: now,
    authorizedAt: undefined,
    committedAt: undefined,
    capturedAt: undefined,
    receipt: undefined,
    asking: undefined,
    approvedAt: undefined,
    tabLimit: undefined,
    tab: undefined,
    commitPointAt: undefined,
    livemode: false,
    amended: undefined,
    former: undefined,
    ...change,
  };
}

const seen = (state: PaymentState, more: Partial<Payment> = {}): Seen => ({
  kind: "payment",
  payment: {
    id: newId("payment"),
    generation: 1,
    state,
    reference: "pi_1",
    capturedMinor: 0n,
    refundedMinor: 0n,
    refunds: undefined,
    declineCode: undefined,
    ...more,
  },
});

const unknown: Seen = { kind: "unknown" };
const absent: Seen = { kind: "absent" };
const allPaymentStates: readonly PaymentState[] = [
  "authorizing",
  "authorized",
  "declined",
  "capturing",
  "captured",
  "releasing",
  "released",
  "refunding",
  "refunded",
  "requires_action",
];

describe("what follows from billing's answer", () => {
  test("an unknown outcome is never acted on", () => {
    const states: ChargeState[] = ["authorizing", "capturing", "releasing", "refunding"];
    for (const state of states)
      for (const driver of ["caller", "recovery"] as const)
        expect(moveOn(charge({ state }), unknown, driver)).toEqual({ kind: "wait" });
  });

  test("a charge that is not under way never moves, whatever billing says", () => {
    const still: ChargeState[] = ["authorized", "committed", "captured", "refunded", "released", "declined"];
    for (const state of still)
      for (const answer of [absent, unknown, ...allPaymentStates.map((one) => seen(one))])
        expect(moveOn(charge({ state }), answer, "recovery")).toEqual({ kind: "wait" });
  });

  test("no hold at billing: the caller sends it, recovery takes it back by a word of its own", () => {
    expect(moveOn(charge(), absent, "caller")).toEqual({ kind: "send", verb: "hold" });
    expect(moveOn(charge(), absent, "recovery")).toEqual({ kind: "release", because: "abandoned" });
  });

  test("money that moved while the charge went back is an alarm, never a guess", () => {
    for (const state of ["capturing", "captured", "refunding", "refunded"] as const)
      for (const of of ["authorizing", "releasing"] as const)
        expect(moveOn(charge({ state: of }), seen(state), "recovery").kind).toBe("alarm");
    expect(moveOn(charge({ state: "capturing" }), absent, "recovery").kind).toBe("alarm");
  });

  test("after the commit point: captured, or sent again, or finally refused", () => {
    const capturing = charge({ state: "capturing", capture: money(charge().amount.asset, 1_000n) });
    const captured = (capturedMinor: bigint) =>
      moveOn(capturing, seen("captured", { capturedMinor }), "recovery");
    expect(captured(1_000n)).toEqual({ kind: "captured" });
    expect(captured(999n).kind).toBe("alarm");
    expect(moveOn(capturing, seen("authorized"), "recovery")).toEqual({ kind: "send", verb: "capture" });
    expect(moveOn(capturing, seen("capturing"), "recovery")).toEqual({ kind: "wait" });
    expect(moveOn(capturing, seen("released"), "recovery")).toEqual({
      kind: "release",
      because: "capture_refused",
    });
  });

  test("a release is repeated until billing has let go", () => {
    const releasing = charge({ state: "releasing" });
    for (const answer of [absent, seen("authorizing"), seen("authorized"), seen("requires_action")])
      expect(moveOn(releasing, answer, "recovery")).toEqual({ kind: "send", verb: "release" });
    for (const answer of [seen("released"), seen("declined")])
      expect(moveOn(releasing, answer, "recovery")).toEqual({ kind: "released" });
  });

  test("a refund is done when billing has refunded the sum of all, not before", () => {
    const asset = charge().amount.asset;
    const refunding = charge({
      state: "refunding",
      capture: money(asset, 1_000n),
      refunded: money(asset, 300n),
      refunding: { id: newId("refund"), amount: money(asset, 200n), transaction: undefined },
    });
    const at = (refundedMinor: bigint) => moveOn(refunding, seen("captured", { refundedMinor }), "caller");
    expect(at(300n)).toEqual({ kind: "send", verb: "refund" });
    expect(at(500n)).toEqual({ kind: "refunded" });
  });

  test("what billing says of this very refund counts before any sum", () => {
    const asset = charge().amount.asset;
    const id = newId("refund");
    const refunding = charge({
      state: "refunding",
      capture: money(asset, 1_000n),
      refunding: { id, amount: money(asset, 200n), transaction: undefined },
    });
    const on = (...refunds: NonNullable<Payment["refunds"]>) =>
      moveOn(refunding, seen("captured", { refunds, refundedMinor: 200n }), "recovery");
    const because = undefined;
    expect(on({ id, state: "succeeded", because })).toEqual({ kind: "refunded" });
    expect(on({ id, state: "pending", because })).toEqual({ kind: "wait" });
    expect(on({ id, state: "refused", because })).toEqual({
      kind: "refund_refused",
      because: "payment_refund_refused",
    });
    expect(on({ id, state: "refused", because: "transfer_used" })).toEqual({
      kind: "refund_refused",
      because: "transfer_used",
    });
    const other = { id: newId("refund"), state: "succeeded", because } as const;
    expect(on(other)).toEqual({ kind: "send", verb: "refund" });
  });
});

describe("recovery", () => {
  test("waits for serve_by, for capture_by once committed, and then releases", () => {
    const authorized = charge({ state: "authorized" });
    expect(recover(authorized, now)).toEqual({ kind: "later", at: authorized.serveBy });
    expect(recover(authorized, authorized.serveBy)).toEqual({ kind: "release", because: "serve_by_passed" });
    const committed = charge({ state: "committed" });
    expect(recover(committed, authorized.serveBy)).toEqual({ kind: "later", at: committed.captureBy });
    expect(recover(committed, committed.captureBy)).toEqual({
      kind: "release",
      because: "capture_by_passed",
    });
  });

  test("lets nothing hang: a hold without an outcome goes back at serve_by", () => {
    const authorizing = charge();
    expect(recover(authorizing, now)).toEqual({ kind: "read" });
    expect(recover(authorizing, authorizing.serveBy)).toEqual({
      kind: "release",
      because: "serve_by_passed",
    });
  });

  test("never releases a charge that has passed its commit point", () => {
    const late = instantOf(now + 365 * 24 * 60 * minuteMs);
    for (const state of ["capturing", "captured", "refunding", "refunded"] as const)
      expect(recover(charge({ state }), late).kind).not.toBe("release");
  });

  test("looks again soon at a young charge and at least every quarter of an hour at an old one", () => {
    expect(lookAgainAt(now, now) - now).toBe(secondMs);
    const old = instantOf(now + 100 * 60 * minuteMs);
    expect(lookAgainAt(now, old) - old).toBe(15 * minuteMs);
  });
});

describe("the commit point", () => {
  const facts = (change: Partial<CommitFacts> = {}): CommitFacts => ({
    mandate: "active",
    agentActive: true,
    tokenLive: true,
    assetAccepted: true,
    now,
    ...change,
  });

  test("C12 revocation, suspension, a stopped agent and a revoked token refuse; each says which", () => {
    const held = charge({ state: "authorized" });
    expect(mayCapture(held, facts())).toBe("yes");
    expect(mayCapture(held, facts({ mandate: "revoked" }))).toBe("mandate_revoked");
    expect(mayCapture(held, facts({ mandate: "suspended" }))).toBe("mandate_suspended");
    expect(mayCapture(held, facts({ agentActive: false }))).toBe("agent_suspended");
    expect(mayCapture(held, facts({ tokenLive: false }))).toBe("token_revoked");
    expect(mayCapture(held, facts({ assetAccepted: false }))).toBe("mandate_asset_not_accepted");
  });

  test("C12 what was committed before passes it, until capture_by", () => {
    const committed = charge({ state: "committed" });
    const stopped = facts({ mandate: "revoked", agentActive: false, tokenLive: false });
    expect(mayCapture(committed, stopped)).toBe("yes");
    expect(mayCapture(committed, facts({ now: committed.captureBy }))).toBe("charge_capture_too_late");
  });

  test("serve_by itself is too late", () => {
    const held = charge({ state: "authorized" });
    expect(mayCapture(held, facts({ now: instantOf(held.serveBy - 1) }))).toBe("yes");
    expect(mayCapture(held, facts({ now: held.serveBy }))).toBe("charge_capture_too_late");
  });

  test("no other state is captured or committed", () => {
    const others: ChargeState[] = [
      "authorizing",
      "capturing",
      "captured",
      "refunding",
      "refunded",
      "releasing",
      "released",
      "declined",
    ];
    for (const state of others) {
      expect(mayCapture(charge({ state }), facts())).toBe("charge_state_conflict");
      expect(mayCommit(charge({ state, commits: true }), facts())).toBe("charge_state_conflict");
    }
    expect(mayCommit(charge({ state: "authorized", commits: false }), facts())).toBe("charge_state_conflict");
    expect(mayCommit(charge({ state: "authorized", commits: true }), facts())).toBe("yes");
  });
});
