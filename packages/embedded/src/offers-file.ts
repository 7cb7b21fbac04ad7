import { rename, writeFile } from "node:fs/promises";
import type { PrivateJwk } from "@remit/protocol";

export type DemoOffer = {
  readonly path: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly sku: string;
  readonly name: string;
  readonly description: string;
};

export type DemoShop = {
  readonly merchant: {
    readonly id: string;
    readonly tenant: string;
    readonly origin: string;
    readonly clientId: string;
  };
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk; readonly offer: PrivateJwk };
  /** The account that cards without a mandate are charged by. */
  readonly stripe: { readonly apiKey: string; readonly origin: string };
  readonly upstream: string;
  readonly offer: DemoOffer;
};

/** What the gateway sells in the demo. It holds the merchant's keys, so only its owner may read it. */
export async function writeOffersFile(file: string, shop: DemoShop | undefined): Promise<void> {
  const fresh = `${file}.new`;
  await writeFile(
    fresh,
    `${JSON.stringify(shop === undefined ? { merchants: [], routes: [] } : contentsOf(shop), null, 2)}\n`,
    {
      mode: 0o600,
    },
  );
  await rename(fresh, file);
}

const contentsOf = ({ merchant, keys, stripe, upstream, offer }: DemoShop): object => ({
  merchants: [
    {
      id: merchant.id,
      tenant: merchant.tenant,
      origin: merchant.origin,
      client_id: merchant.clientId,
      keys: { assertion: keys.assertion, dpop: keys.dpop, offer: keys.offer },
      payments: { stripe: { secret_key: stripe.apiKey, origin: stripe.origin } },
    },
  ],
  routes: [
    {
      id: offer.sku,
      merchant: merchant.id,
      method: "GET",
      path: offer.path,
      upstream,
      amount_minor: offer.amountMinor,
      currency: offer.currency,
      sku: offer.sku,
      name: offer.name,
      description: offer.description,
    },
  ],
});
