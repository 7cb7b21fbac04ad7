import { type Id, idPattern } from "@remit/kernel";
import { HealthCheck, Origin, StripPrefix, ToolName, text } from "@remit/protocol/contracts";
import { z } from "zod";

const idOf = <K extends "merchant" | "tenant">(kind: K): z.ZodType<Id<K>> =>
  // The pattern is the whole definition of an id of this kind; zod cannot express the brand.
  z.string().regex(new RegExp(idPattern(kind))) as unknown as z.ZodType<Id<K>>;

const Key = z.union([z.string().min(1).max(1024), z.record(z.string(), z.unknown())]);

/** A secret as text, or in a file beside the offers file. */
const SecretText = z.union([
  z.string().min(1).max(4096),
  z.strictObject({ file: z.string().min(1).max(1024) }),
]);

const Url = z
  .string()
  .max(2048)
  .refine((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol), "no http(s) URL");

const FacilitatorEntry = z.union([
  z.literal("local"),
  z.strictObject({ url: Url, token: SecretText.optional() }),
]);

export const MerchantEntry = z.strictObject({
  id: idOf("merchant"),
  tenant: idOf("tenant"),
  origin: Origin,
  client_id: z.string().min(1).max(255),
  keys: z.strictObject({ assertion: Key, dpop: Key, offer: Key }),
  payments: z
    .strictObject({
      stripe: z
        .strictObject({ secret_key: SecretText, origin: Origin.default("https://api.stripe.com") })
        .optional(),
      /** Of the wallet that `pay_to` names: transfers are refunded from it. */
      wallet_key: SecretText.optional(),
      facilitator: FacilitatorEntry.default("local"),
    })
    .default({ facilitator: "local" }),
});

const Address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, "no 0x address of 20 bytes");
const Decimal = z.string().regex(/^(0|[1-9]\d{0,11})(\.\d{1,6})?$/, "no decimal with up to 6 places");

const WayEntry = z.discriminatedUnion("rail", [
  z.strictObject({ rail: z.literal("mandate") }),
  z.strictObject({
    rail: z.literal("card"),
    account: z
      .string()
      .regex(/^acct_\w{1,100}$/)
      .optional(),
    network_id: z.string().regex(/^[\x21-\x7e]{1,200}$/),
    payment_method_types: z
      .array(z.string().regex(/^[a-z0-9_]{1,40}$/))
      .min(1)
      .max(20)
      .default(["card"]),
  }),
  z.strictObject({
    rail: z.literal("x402"),
    network: z.string().regex(/^eip155:[1-9]\d{0,17}$/, "no eip155 chain"),
    asset: z.strictObject({
      address: Address,
      decimals: z.int().min(0).max(36),
      name: z.string().min(1).max(100),
      version: z.string().min(1).max(20),
    }),
    pay_to: Address,
    amount: z
      .string()
      .regex(/^[1-9]\d{0,77}$/)
      .optional(),
    confirmations: z.int().min(1).max(1000).optional(),
    facilitator: FacilitatorEntry.optional(),
  }),
]);
export type WayEntry = z.output<typeof WayEntry>;

const RouteEntry = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  merchant: idOf("merchant"),
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]),
  path: z.string().max(1024),
  upstream: z.union([Origin, z.string().regex(/^stdio:[a-z0-9-]{1,64}$/)]),
  strip_prefix: StripPrefix.optional(),
  tool: ToolName.optional(),
  gate: z.enum(["free", "paid", "auth"]).default("paid"),
  amount_minor: z.number().optional(),
  currency: z.string().optional(),
  metered: z
    .strictObject({
      unit: z.enum(["request", "mtok", "mb", "hour"]),
      unit_price: Decimal,
      ceiling_minor: z.number(),
      /** What one request costs at the least. */
      least_minor: z.int().min(1).default(1),
    })
    .optional(),
  ways: z
    .array(WayEntry)
    .min(1)
    .max(10)
    .default([{ rail: "mandate" }]),
  name: text(200),
  sku: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  hidden: z.boolean().default(false),
  description: text(500).optional(),
  deliver: z.enum(["buffer", "stream"]).default("buffer"),
  settle: z.enum(["after", "before"]).default("after"),
  serve_by_s: z.int().min(1).max(900).default(60),
  upstream_timeout_s: z.int().min(1).max(900).optional(),
  health: HealthCheck.optional(),
  upstream_retries: z.int().min(0).max(5).default(0),
});
export type RouteEntry = z.output<typeof RouteEntry>;
export type MerchantEntry = z.output<typeof MerchantEntry>;

/** A program that routes name by `upstream: stdio:<id>`; from this file alone, since whoever names one runs it here. */
const ServerEntry = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  command: z.string().min(1).max(1024),
  args: z.array(z.string().max(8192)).max(100).default([]),
  env: z.record(z.string().regex(/^[A-Za-z_]\w{0,127}$/), z.string().max(32_768)).default({}),
  cwd: z.string().min(1).max(1024).optional(),
});
export type ServerEntry = z.output<typeof ServerEntry>;

/** The offers file as it is written. What is left out has the meaning of a route that sells under a mandate. */
export const OffersFile = z.strictObject({
  merchants: z.array(MerchantEntry).max(1000),
  servers: z.array(ServerEntry).max(100).default([]),
  routes: z.array(RouteEntry).max(10_000),
});

/** The schema of the file, for editors (JSON Schema 2020-12). */
export const offersFileSchema = (): object => ({
  $id: "https://schema.remit.example/offers-file/v1",
  title: "What Remit's gateway has for sale",
  ...z.toJSONSchema(OffersFile, { io: "input" }),
});
