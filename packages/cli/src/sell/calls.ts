import type { DevFile, ShopEntry } from "@remit/embedded";
import { newId } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import {
  type CreateOffer,
  OfferBody,
  OfferPage,
  OfferSales,
  PaymentRefund,
  type ReplaceOffer,
} from "@remit/protocol/contracts";
import { AnswerRefused } from "../refusals.ts";
import { type BoundCall, callWithProof } from "../running/index.ts";

const call = (
  dev: DevFile,
  wanted: Pick<BoundCall, "method" | "path" | "body" | "idempotencyKey">,
  root = "/api/v1/offers",
): Promise<JsonObject> => {
  const scope = wanted.method === "GET" ? "offers:read" : "offers:write";
  return callWithProof(dev.issuer, dev.admin, {
    ...wanted,
    origin: dev.gateway,
    path: root + wanted.path,
    scope,
  });
};

/** Has the gateway answer at a merchant's origin: the operator's to say. */
export async function putMerchant(dev: DevFile, { id, body }: ShopEntry): Promise<void> {
  if (dev.operator === undefined)
    throw new AnswerRefused("this instance was started by an older version", {
      remedy: "Stop it and start it again.",
    });
  const wanted = { method: "PUT", origin: dev.gateway, path: `/api/v1/merchants/${id}`, body } as const;
  await callWithProof(dev.issuer, dev.operator, { ...wanted, scope: "admin:orgs" });
}

export async function create(dev: DevFile, offer: CreateOffer): Promise<OfferBody> {
  const wanted = { method: "POST", path: "", body: offer, idempotencyKey: newId("request") } as const;
  return OfferBody.parse(await call(dev, wanted));
}

export const replace = async (dev: DevFile, id: string, spec: ReplaceOffer): Promise<OfferBody> =>
  OfferBody.parse(await call(dev, { method: "PUT", path: `/${id}`, body: spec }));

export const drain = async (dev: DevFile, id: string, graceS: number): Promise<OfferBody> =>
  OfferBody.parse(
    await call(dev, {
      method: "POST",
      path: `/${id}/drain`,
      body: { grace_s: graceS },
      idempotencyKey: newId("request"),
    }),
  );

export const remove = async (dev: DevFile, id: string): Promise<void> =>
  void (await call(dev, { method: "DELETE", path: `/${id}` }));

export const salesOf = async (dev: DevFile, id: string): Promise<OfferSales> =>
  OfferSales.parse(await call(dev, { method: "GET", path: `/${id}/sales` }));

/** Gives a payment back. `key` makes a repetition the same refund. */
export const refund = async (
  dev: DevFile,
  asked: { readonly payment: string; readonly amount_minor?: number },
  key: string,
): Promise<PaymentRefund> =>
  PaymentRefund.parse(
    await call(dev, { method: "POST", path: "", body: asked, idempotencyKey: key }, "/api/v1/refunds"),
  );

/** All of them, newest first. */
export async function all(dev: DevFile): Promise<OfferBody[]> {
  const found: OfferBody[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: OfferPage = OfferPage.parse(await call(dev, { method: "GET", path: `?limit=100${from}` }));
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}

/** The offer of a name or an id; names are a merchant's, so that another one may have it too. */
export async function named(dev: DevFile, name: string, merchant?: string): Promise<OfferBody> {
  const found = (await all(dev)).filter(
    (offer) =>
      (offer.name === name || offer.id === name) && (merchant === undefined || offer.merchant === merchant),
  );
  const [offer] = found;
  if (offer === undefined)
    throw new AnswerRefused(`nothing is sold under the name ${name}`, {
      remedy: "remit sell list shows what is.",
    });
  if (found.length > 1)
    throw new AnswerRefused(`several merchants sell something named ${name}`, {
      remedy: `Say which: ${found.map(({ id }) => id).join(", ")}`,
    });
  return offer;
}
