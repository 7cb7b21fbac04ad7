import { type Asset, invariant, type Money, money, moneyOf } from "@remit/kernel";
import { Problem, type ProblemCode } from "@remit/protocol";
import type { Standing as EngineStanding, PaymentEngine } from "@remit/rails";
import type { Claim } from "../claims/index.ts";
import type { CardOrder, TransferOrder } from "./orders.ts";
import type { Ids, Outcome, Rail, Resource } from "./rail.ts";

/** What a payment engine is asked with, read from the claim's order. */
export type Asking<Source> = {
  readonly source: Source;
  readonly amount: Money;
  /** What is taken of it where a price by use took `minor` of `held`, both in the offer's own currency. */
  readonly part: (minor: number, held: number) => Money;
};

export type EngineRailDeps<Source> = {
  readonly engine: PaymentEngine<Source>;
  readonly asking: Asking<Source>;
  readonly resource: Resource;
  /** Makes the provider's id durable; false when nobody wants the hold any more. */
  readonly keep: (claim: Claim, reference: string) => Promise<boolean>;
};

/** Money without a mandate: a payment engine moves it with the seller's own account, and our own row is the truth. */
export function engineRail<Source>(deps: EngineRailDeps<Source>): Rail {
  const { engine } = deps;
  const { source, amount, part } = deps.asking;
  const hold = async (claim: Claim): Promise<Outcome> => {
    const standing = await engine.hold(
      {
        ...stepOf(claim),
        amount,
        source,
        reference: claim.reference ?? null,
        startedAt: claim.attemptedAt,
        labels: { claim: claim.id, merchant: claim.merchant, route: claim.route },
      },
      (reference) => deps.keep(claim, reference),
    );
    // Nothing was asked to move money yet, so that whoever did was not this purchase.
    if (standing.kind === "captured") return { kind: "refused", problem: new Problem("already_settled") };
    return outcomeOf(standing, amount);
  };
  return {
    resource: deps.resource,
    hold,
    capture: async (claim) => {
      const { capturedMinor, amountMinor } = claim;
      const taken = capturedMinor === undefined ? amount : part(capturedMinor, amountMinor);
      const order = { ...endOf(claim), reference: referenceOf(claim), amount: taken, source };
      return outcomeOf(await engine.capture(order), taken);
    },
    release: async (claim) => {
      const order = { ...endOf(claim), reference: referenceOf(claim), neverCaptured: isUnasked(claim) };
      return outcomeOf(await engine.release(order));
    },
    read: async (claim) => {
      if (claim.reference === undefined) return await hold(claim);
      return outcomeOf(await engine.readBack(claim.reference));
    },
  };
}

type Step = { readonly key: string; readonly attempt: number };
const stepOf = ({ id, attempt }: Claim): Step => ({ key: id, attempt });

/**
 * A payment is captured or released once, whatever the key. Who takes a claim over has read that neither has come about, and
 * asks under a key of its own: a provider may keep a failure for the one before, and give it again for a day.
 */
const endOf = ({ id, generation }: Claim): Step => ({ key: id, attempt: generation });

/** A row says so before a capture is asked for; one that is being released may have come from there. */
const isUnasked = ({ state }: Claim): boolean => state === "claimed" || state === "serving";

function referenceOf({ reference }: Claim): string {
  invariant(reference !== undefined, "what is captured or released has a reference");
  return reference;
}

/** What an engine's word means for the purchase. `expected`: less than that is not the price. */
export function outcomeOf(standing: EngineStanding, expected?: Money): Outcome {
  const known = (
    where: Extract<Outcome, { kind: "known" }>["standing"],
    ids: Ids,
    problem?: Problem,
  ): Outcome => ({
    kind: "known",
    standing: where,
    ids,
    ...(problem !== undefined && { problem }),
  });
  switch (standing.kind) {
    case "absent":
      return known("absent", {});
    case "prepared":
      return known("pending", { reference: standing.reference });
    case "authorized":
      if (expected !== undefined && standing.amount.units < expected.units)
        return known("pending", { reference: standing.reference }, new Problem("payment_declined"));
      return known("held", { reference: standing.reference });
    case "captured": {
      const settlement = standing.booking?.id;
      return known("captured", {
        reference: standing.reference,
        ...(settlement !== undefined && { settlement }),
      });
    }
    case "released":
      return known("over", { reference: standing.reference }, new Problem("payment_declined"));
    case "declined":
      // What has a name at the provider is ended there before it is over here.
      return standing.reference === null
        ? known("over", {}, declined(standing.code))
        : known("pending", { reference: standing.reference }, declined(standing.code));
    case "requires_action":
      return known("pending", { reference: standing.reference }, new Problem("authentication_required"));
    case "refused":
      return { kind: "refused", problem: refusedAs(standing.because) };
    case "unknown":
      return { kind: "unknown", mayPass: standing.because !== "unexpected", cause: standing.because };
  }
}

const declined = (code: string): Problem =>
  code === "authentication_required"
    ? new Problem("authentication_required")
    : new Problem("payment_declined", { extra: { decline_code: code } });

/** A rail's own word for its refusal is shown: clients of the rail know it. */
const refusedAs = (reason: string, code: ProblemCode = "payment_invalid"): Problem =>
  new Problem(code, { extra: { reason } });

export function moneyOfCard({ amount_minor, currency }: CardOrder): Money {
  const amount = moneyOf(amount_minor, currency);
  invariant(amount !== undefined, "a kept order names an amount of money");
  return amount;
}

/** Of a token the same part as of the money that it stands for; the seller's is the unit that is begun. */
export function partOf({ asset, units }: Money, minor: number, held: number): Money {
  invariant(minor >= 0 && minor <= held, "no more is taken than was held");
  return money(asset, (units * BigInt(minor) + BigInt(held) - 1n) / BigInt(held));
}

export function moneyOfTransfer({ requirements, decimals }: TransferOrder): Money {
  const { network, asset, amount } = requirements;
  const caip19 = `${network}/erc20:${asset}`;
  const token: Asset = { code: caip19, places: decimals, kind: "token", caip19 };
  return money(token, BigInt(amount));
}
