import { createHash } from "node:crypto";
import { after, fromRfc3339, type Instant, secondMs } from "@remit/kernel";
import { CreateOffer, type OfferPrice } from "@remit/protocol/contracts";
import { z } from "zod";
import { KubernetesObject } from "./watch.ts";

const Decimal = z.string().regex(/^\d+(?:\.\d+)?$/);

const dnsName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

const Payment = z.looseObject({
  method: z.enum(["crypto", "card", "mandate"]).default("crypto"),
  payWith: z.array(z.enum(["card", "x402", "mandate"])).optional(),
  network: z.string().optional(),
  payTo: z.string().optional(),
  card: z
    .looseObject({
      account: z.string().optional(),
      currency: z.string().default("usd"),
      networkId: z.string().optional(),
    })
    .optional(),
  price: z.looseObject({
    perRequest: Decimal.optional(),
    perMTok: Decimal.optional(),
    perMB: Decimal.optional(),
    perHour: Decimal.optional(),
    perEpoch: Decimal.optional(),
    ceiling: Decimal.optional(),
    least: Decimal.optional(),
  }),
});

/** `ServiceOffer` of the cluster. The server has checked it by the schema and the rules of its definition. */
export const ServiceOffer = KubernetesObject.extend({
  spec: z.looseObject({
    type: z.enum(["inference", "fine-tuning", "http", "agent", "skill", "dataset"]).default("http"),
    upstream: z.looseObject({
      // A name, and nothing that would make another host of the address.
      service: z.string().regex(dnsName),
      namespace: z.string().regex(dnsName).optional(),
      port: z.int().default(11_434),
      healthPath: z.string().default("/health"),
    }),
    path: z.string().optional(),
    model: z.looseObject({ name: z.string(), runtime: z.string().optional() }).optional(),
    payment: Payment,
    registration: z
      .looseObject({ enabled: z.boolean().default(false), description: z.string().optional() })
      .optional(),
    drainAt: z.string().optional(),
    drainGracePeriod: z.string().optional(),
  }),
  status: z.looseObject({ conditions: z.array(z.unknown()).default([]) }).optional(),
});
export type ServiceOffer = z.infer<typeof ServiceOffer>;

/** Unique in the installation, and still to be read by people. */
export function offerNameOf({ metadata }: ServiceOffer): string {
  const unique = createHash("sha256").update(metadata.uid).digest("hex").slice(0, 8);
  const readable = metadata.name
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 48)
    .replace(/^-|-$/g, "");
  return `${readable}-${unique}`;
}

export const pathOf = ({ spec, metadata }: ServiceOffer): string =>
  (spec.path ?? `/services/${metadata.name}`).replace(/\/+$/, "");

/** The standing offer that the resource describes, or what it leaves open. */
export function offerOf(
  resource: ServiceOffer,
  at: { readonly merchant: string; readonly upstream: string },
): CreateOffer | { readonly fault: string } {
  const { payment, registration } = resource.spec;
  const rails = payment.payWith ?? [{ crypto: "x402", card: "card", mandate: "mandate" }[payment.method]];
  if (rails.includes("card") && payment.card?.networkId === undefined)
    return { fault: "payment.card.networkId is needed: shared payment tokens are granted to it" };
  const price = priceOf(payment.price);
  if (price === undefined) return { fault: "payment.price says no price that can be sold" };
  const path = pathOf(resource);
  const { account, networkId } = payment.card ?? {};
  const parsed = CreateOffer.safeParse({
    name: offerNameOf(resource),
    merchant: at.merchant,
    upstream: at.upstream,
    health: { path: resource.spec.upstream.healthPath },
    currency: (payment.card?.currency ?? "usd").toUpperCase(),
    price,
    pay_with: rails,
    ...(rails.includes("card") && {
      card: { network_id: networkId, ...(account !== undefined && { account }) },
    }),
    ...(rails.includes("x402") && { x402: { chain: payment.network, pay_to: payment.payTo } }),
    routes: [{ path: `${path}/*`, summary: registration?.description ?? resource.metadata.name }],
    ...(path !== "" && { strip_prefix: path }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.join(".") ?? "spec"}: ${issue?.message ?? "is not right"}` };
}

/** What is counted has a ceiling: unless told, a thousand tokens, five minutes or a megabyte, as one request is expected to use. */
function priceOf(price: ServiceOffer["spec"]["payment"]["price"]): OfferPrice | undefined {
  const { perRequest, perMTok, perMB, perHour, ceiling, least } = price;
  if (perRequest !== undefined) return perRequest;
  const counted = [
    { per: "mtok", amount: perMTok, parts: 1000n },
    { per: "hour", amount: perHour, parts: 12n },
    { per: "mb", amount: perMB, parts: 1n },
  ] as const;
  for (const { per, amount, parts } of counted)
    if (amount !== undefined)
      return {
        per,
        amount,
        ceiling: ceiling ?? centsUp(amount, parts),
        ...(least !== undefined && { least }),
      };
  return undefined;
}

/** A part of a decimal, up to the next cent: less could not be held. */
function centsUp(amount: string, parts: bigint): string {
  const [whole = "0", fraction = ""] = amount.split(".");
  const per = parts * 10n ** BigInt(fraction.length);
  const cents = (BigInt(whole + fraction) * 100n + per - 1n) / per;
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

/** Go's durations, as far as people write them: `90s`, `5m`, `1h30m`. */
export function secondsOf(duration: string): number | undefined {
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== duration) return undefined;
  const seconds = { h: 3600, m: 60, s: 1, ms: 0.001 } as const;
  // The pattern names exactly these units.
  return parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * seconds[unit as keyof typeof seconds],
    0,
  );
}

export const graceSOf = ({ spec }: ServiceOffer): number => secondsOf(spec.drainGracePeriod ?? "30s") ?? 30;

/** When nothing more is sold, by the resource's own word. */
export function drainedAtOf(resource: ServiceOffer): Instant | undefined {
  const begins = resource.spec.drainAt === undefined ? undefined : fromRfc3339(resource.spec.drainAt);
  return begins === undefined ? undefined : after(begins, graceSOf(resource) * secondMs);
}
