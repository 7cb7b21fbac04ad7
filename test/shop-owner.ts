import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Agent, createAgent } from "@remit/agent";
import { type DevFile, serviceDirectory } from "@remit/embedded";
import { after, type Id, minuteMs, newId, parseId, systemClock, toRfc3339 } from "@remit/kernel";
import { type Books, type ChargeRequest, createBooks, createMerchant, type Merchant } from "@remit/merchant";
import type { Offer, PrivateJwk } from "@remit/protocol";
import { generateJwk, makePresentation, offerDigest, randomText, signOffer } from "@remit/protocol/node";
import { grant } from "./instance.ts";

/** The demo's merchant as its own program knows it: its client by the SDK, its books, and the key of its offers. */
export type ShopOwner = {
  readonly merchant: Merchant;
  readonly books: Books;
  /** What an agent with a mandate for `amountMinor` sends for an offer; `terms` are the offer's own. */
  request(buyer: ShopBuyer, terms?: Partial<Offer>): Promise<SignedRequest>;
};

export type SignedRequest = ChargeRequest & {
  readonly offer: string;
  /** The same offer with these members, signed once more. */
  readonly again: (more: Partial<Offer>) => string;
};

export type ShopBuyer = { readonly agent: Agent; readonly mandate: Id<"mandate">; readonly dpop: PrivateJwk };

export async function shopOwnerOf(dev: DevFile): Promise<ShopOwner> {
  const { issuer, billing, merchant, admin } = dev;
  const offerKey = await offerKeyOf(dev);
  const keys = { assertion: merchant.assertion_jwk, dpop: merchant.dpop_jwk };
  return {
    merchant: createMerchant({ issuer, clientId: merchant.client_id, keys }),
    books: createBooks({
      issuer,
      billing,
      clientId: admin.client_id,
      keys: { secret: admin.client_secret, dpop: generateJwk("ES256") },
    }),
    request: async ({ agent, mandate, dpop }, terms = {}) => {
      const now = systemClock.now();
      const offer: Offer = {
        id: newId("offer"),
        sku: "by-hand",
        name: "Sold by hand",
        amount_minor: 1_000,
        currency: "USD",
        merchant: parseId("merchant", merchant.id) ?? newId("merchant"),
        merchant_origin: merchant.origin,
        issued_at: toRfc3339(now),
        expires_at: toRfc3339(after(now, 5 * minuteMs)),
        livemode: false,
        resource: { method: "GET", url: `${merchant.origin}/by-hand` },
        ...terms,
      };
      const held = (await agent.mandates()).find(({ id }) => id === mandate);
      const accessToken = await agent.tokenFor(merchant.origin);
      const merchantNonce = randomText();
      const presentation = makePresentation({
        mandate: held?.credential ?? "",
        disclose: "all",
        accessToken,
        offerDigest: offerDigest(offer),
        merchantNonce,
        audience: merchant.origin,
        key: dpop,
        reason: undefined,
        now,
      });
      return {
        offer: signOffer(offerKey, offer),
        presentation,
        accessToken,
        merchantNonce,
        again: (more) => signOffer(offerKey, { ...offer, ...more }),
      };
    },
  };
}

/** The demo's agent with a mandate of its own for so much. */
export async function shopBuyerOf(dev: DevFile, amountMinor: number): Promise<ShopBuyer> {
  const { client_id: clientId, assertion_jwk: assertion, dpop_jwk: dpop } = dev.agent;
  const agent = createAgent({ issuer: dev.issuer, clientId, keys: { assertion, dpop } });
  const mandate = parseId("mandate", await grant(dev, agent, { amount_minor: amountMinor }));
  if (mandate === undefined) throw new TypeError("no mandate was granted");
  return { agent, mandate, dpop };
}

/** The gateway signs with it, and publishes it at the merchant's origin. */
async function offerKeyOf({ data_dir: dataDir, merchant }: DevFile): Promise<PrivateJwk> {
  const file = path.join(serviceDirectory(dataDir, "gateway"), "offers.json");
  const { merchants } = JSON.parse(await readFile(file, "utf8")) as {
    merchants: { id: string; keys: { offer: PrivateJwk } }[];
  }; // as the seeding wrote it
  const key = merchants.find(({ id }) => id === merchant.id)?.keys.offer;
  if (key === undefined) throw new TypeError("the demo's merchant has no key for offers");
  return key;
}
