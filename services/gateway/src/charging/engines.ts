import type { Clock } from "@remit/kernel";
import type { PaymentEngine } from "@remit/rails";
import { createTokenEngine, openStripe, type SharedToken } from "@remit/rails/card";
import type { Facilitators } from "../facilitator/index.ts";
import type { Facilitator, Merchant, Offers } from "../offers/index.ts";
import type { Engines } from "./rails.ts";

export type EnginesDeps = {
  readonly clock: Clock;
  readonly facilitators: Facilitators;
  /** Where the tokens stand with which a merchant calls its facilitators. */
  readonly offers: () => Offers;
};

/** The engines of the sellers' own accounts, one for each account that a key is used for. */
export function createEngines({ clock, facilitators, offers }: EnginesDeps): Engines {
  const cards = new WeakMap<Merchant, Map<string, PaymentEngine<SharedToken>>>();
  return {
    card: (merchant, account) => {
      const { stripe: settings } = merchant.accounts;
      if (settings === undefined) return undefined;
      const known = cards.get(merchant) ?? new Map<string, PaymentEngine<SharedToken>>();
      cards.set(merchant, known);
      const before = known.get(account ?? "");
      if (before !== undefined) return before;
      const stripe = openStripe({ origin: settings.origin, apiKey: settings.secretKey.reveal() });
      const engine = createTokenEngine({
        stripe,
        clock,
        // The payer's token is for the seller who holds the key; a connected account gets what that seller passes on.
        ...(account !== undefined && { connect: { kind: "destination", destination: account } }),
      });
      known.set(account ?? "", engine);
      return engine;
    },
    x402: (merchant, { requirements: { network }, confirmations, facilitator: url }) => {
      const facilitator = facilitatorAt(offers(), merchant, url);
      return facilitator && facilitators.engineOf({ network, facilitator, confirmations });
    },
  };
}

/** This gateway's own, or the merchant's at that address; undefined when it has none there any more. */
function facilitatorAt(offers: Offers, merchant: Merchant, url: string | undefined): Facilitator | undefined {
  if (url === undefined) return { kind: "local" };
  const routes = [...offers.values()].flatMap((shop) => shop.routes);
  const named = routes.flatMap((route) =>
    route.gate === "paid" && route.merchant.id === merchant.id
      ? route.ways.flatMap((way) => (way.rail === "x402" ? (way.facilitator ?? []) : []))
      : [],
  );
  return [merchant.accounts.facilitator, ...named].find(
    (facilitator) => facilitator.kind === "remote" && facilitator.url === url,
  );
}
