import { minuteMs, Secret, secondMs } from "@remit/kernel";
import {
  type CommonConfig,
  commonConfigOf,
  commonSettings,
  freeze,
  listed,
  parseConfig,
} from "@remit/platform/host";
import type { LogLevel } from "@remit/platform/telemetry";
import { z } from "zod";
import { type X402Config, x402ConfigOf, x402Settings } from "./x402-config.ts";

export type BillingConfig = CommonConfig & {
  readonly stripe: {
    /** `https://api.stripe.com`, or another host that speaks its protocol. */
    readonly origin: string;
    readonly apiKey: string | Secret<string>;
    /** Without it there is no webhook endpoint, and news arrives by reading alone. */
    readonly webhookSecret?: string | Secret<string>;
    /** Of the endpoint to which Stripe sends the events of connected accounts. */
    readonly connectWebhookSecret?: string | Secret<string>;
    /** Where there is a page for holders to confirm at: the sandbox's. Elsewhere they use Stripe's own form. */
    readonly confirmOrigin?: string;
    /** Per call to Stripe; 20 s by default. */
    readonly timeoutMs?: number;
  };
  /** What a month of the plan `pro` costs, in minor units; 49 US dollars unless given. */
  readonly proPrice?: { readonly amountMinor: number; readonly currency: string };
  /** Origins that a visit to Checkout may return to; the issuer's alone unless given. */
  readonly returnOrigins?: readonly string[];
  /** How long one worker may be busy with a payment before another takes over; 60 s by default. */
  readonly leaseMs?: number;
  /** Absent where no mandate is charged over the x402 rail. */
  readonly x402?: X402Config;
};

export const stripeTimeoutMs = 20 * secondMs;
export const leaseMs = minuteMs;
export const proPrice = { amountMinor: 4_900, currency: "usd" };

export type BillingSettings = {
  readonly config: BillingConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
};

const settings = {
  ...commonSettings,
  ...x402Settings,
  REMIT_STRIPE_ORIGIN: z.url({ protocol: /^https?$/ }).default("https://api.stripe.com"),
  REMIT_STRIPE_KEY: z.string().regex(/^[sr]k_(test|live)_/),
  REMIT_STRIPE_WEBHOOK_SECRET: z.string().startsWith("whsec_").optional(),
  REMIT_STRIPE_CONNECT_WEBHOOK_SECRET: z.string().startsWith("whsec_").optional(),
  REMIT_STRIPE_CONFIRM_ORIGIN: z.url({ protocol: /^https?$/ }).optional(),
  REMIT_STRIPE_TIMEOUT_MS: z.coerce.number().int().min(100).max(80_000).default(stripeTimeoutMs),
  REMIT_PLAN_PRO_MINOR: z.coerce.number().int().min(1).max(100_000_000).default(proPrice.amountMinor),
  REMIT_PLAN_CURRENCY: z
    .string()
    .regex(/^[a-z]{3}$/)
    .default(proPrice.currency),
  REMIT_RETURN_ORIGINS: listed.refine(
    (all) => all.every((one) => URL.parse(one)?.origin === one),
    "is a list of origins",
  ),
  REMIT_PAYMENT_LEASE_MS: z.coerce.number().int().min(1).max(600_000).default(leaseMs),
};

export function readSettings(env: NodeJS.ProcessEnv): BillingSettings {
  const read = parseConfig(settings, env);
  const webhookSecret = read.REMIT_STRIPE_WEBHOOK_SECRET;
  const connectSecret = read.REMIT_STRIPE_CONNECT_WEBHOOK_SECRET;
  const config: BillingConfig = {
    ...commonConfigOf(read),
    ...x402ConfigOf(read),
    stripe: {
      origin: read.REMIT_STRIPE_ORIGIN,
      apiKey: new Secret(read.REMIT_STRIPE_KEY),
      ...(webhookSecret === undefined ? {} : { webhookSecret: new Secret(webhookSecret) }),
      ...(connectSecret === undefined ? {} : { connectWebhookSecret: new Secret(connectSecret) }),
      ...(read.REMIT_STRIPE_CONFIRM_ORIGIN === undefined
        ? {}
        : { confirmOrigin: read.REMIT_STRIPE_CONFIRM_ORIGIN }),
      timeoutMs: read.REMIT_STRIPE_TIMEOUT_MS,
    },
    leaseMs: read.REMIT_PAYMENT_LEASE_MS,
    proPrice: { amountMinor: read.REMIT_PLAN_PRO_MINOR, currency: read.REMIT_PLAN_CURRENCY },
    returnOrigins: read.REMIT_RETURN_ORIGINS,
  };
  return { config: freeze(config), logLevel: read.REMIT_LOG_LEVEL, failpoint: read.REMIT_FAILPOINT };
}

export const revealed = (secret: string | Secret<string>): string =>
  typeof secret === "string" ? secret : secret.reveal();
