import { type Money, money } from "@remit/kernel";
import { CreateCharge } from "@remit/protocol/contracts";
import type { PaymentEngine } from "@remit/rails";
import type { Claim } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import type { Charging } from "./charging.ts";
import { engineRail, moneyOfCard, moneyOfTransfer, partOf } from "./engine-rail.ts";
import { mandateRail } from "./mandate-rail.ts";
import { CardOrder, TransferOrder } from "./orders.ts";
import type { Rail } from "./rail.ts";

/** A shared payment token, as a card engine is paid with it. */
export type TokenSource = { readonly spt: string };

/** A signed transfer, as a chain engine is paid with it. */
export type SignedSource = Pick<TransferOrder, "payload" | "requirements">;

/** The engines that hold a merchant's own accounts. Undefined where the merchant has no such account any more. */
export type Engines = {
  card(merchant: Merchant, account: string | undefined): PaymentEngine<TokenSource> | undefined;
  x402(merchant: Merchant, order: TransferOrder): PaymentEngine<SignedSource> | undefined;
};

export type RailsDeps = {
  readonly charging: Charging;
  readonly engines: Engines;
  readonly orderOf: (claim: Claim) => Promise<unknown>;
  readonly keep: (claim: Claim, reference: string) => Promise<boolean>;
};

export type Rails = {
  /** The rail of a claim that has just been taken with this order, or of one that keeps its order. */
  of(merchant: Merchant, claim: Claim, order?: unknown): Promise<Rail | undefined>;
};

export const createRails = (deps: RailsDeps): Rails => ({
  of: async (merchant, claim, order) => {
    if (claim.rail === "mandate")
      return mandateRail(deps.charging.of(merchant), async () =>
        CreateCharge.parse(order ?? (await deps.orderOf(claim))),
      );
    const kept = order ?? (await deps.orderOf(claim));
    return claim.rail === "card"
      ? cardRail(deps, merchant, CardOrder.parse(kept))
      : transferRail(deps, merchant, TransferOrder.parse(kept));
  },
});

function cardRail(deps: RailsDeps, merchant: Merchant, order: CardOrder): Rail | undefined {
  const engine = deps.engines.card(merchant, order.account);
  if (engine === undefined) return undefined;
  const amount = moneyOfCard(order);
  const part = (minor: number): Money => money(amount.asset, BigInt(minor));
  return engineRail({
    engine,
    keep: deps.keep,
    asking: { source: { spt: order.spt }, amount, part },
    resource: order.resource,
  });
}

function transferRail(deps: RailsDeps, merchant: Merchant, order: TransferOrder): Rail | undefined {
  const engine = deps.engines.x402(merchant, order);
  if (engine === undefined) return undefined;
  const { payload, requirements } = order;
  const amount = moneyOfTransfer(order);
  const part = (minor: number, held: number): Money => partOf(amount, minor, held);
  return engineRail({
    engine,
    keep: deps.keep,
    asking: { source: { payload, requirements }, amount, part },
    resource: order.resource,
  });
}
