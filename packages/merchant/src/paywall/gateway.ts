import { parseId, systemClock } from "@remit/kernel";
import {
  base64,
  base64url,
  type HeaderPair,
  isJsonObject,
  type Json,
  type JsonObject,
  Problem,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/web";
import type { MerchantOptions } from "../charges.ts";
import { createSession, type Session } from "../session.ts";
import type { Fetch } from "../wire.ts";
import type { Answer } from "./answers.ts";
import { type Entered, type Payer, type Paywall, problemBodyOf, withoutOurs } from "./paywall.ts";
import type { Asked, Sale } from "./terms.ts";

export type GatewayPaywallOptions = MerchantOptions & {
  /** Origin of the gateway, which knows this merchant, its accounts and its facilitator. */
  readonly gateway: string;
  /** At which this merchant sells. */
  readonly origin: string;
};

const triesMax = 3;
// A chain may take its time to settle.
const settleMs = 120_000;
const answerBytesMax = 12 * 1024 * 1024;

/**
 * Sells what the merchant's own handlers answer by card, by stablecoins and under mandates. The gateway asks for the money,
 * claims each payment once for all processes, and journals, captures and recovers; this process keeps nothing.
 */
export function createGatewayPaywall(options: GatewayPaywallOptions): Paywall {
  const fetchAny: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const { gateway: at, origin, clock = systemClock } = options;
  const session = createSession({ ...options, clock, fetch: fetchAny, at });
  return { origin, enter: (asked) => enter({ session, origin }, asked) };
}

type Desk = { readonly session: Session; readonly origin: string };

async function enter(desk: Desk, asked: Asked): Promise<Entered> {
  const order = orderOf(asked);
  try {
    const { answer, serve } = await call(desk, { path: "/api/v1/purchases", body: order });
    if (isJsonObject(answer)) return { kind: "answer", answer: answerIn(answer, undefined) };
    const { id, payer } = payerIn(serve);
    return { kind: "serve", payer, finish: (made) => finish(desk, { id, order }, made) };
  } catch (error) {
    return { kind: "answer", answer: refusal(desk, error) };
  }
}

/** Brings the goods. Until the gateway has said that they are paid, none of them leaves. */
async function finish(
  desk: Desk,
  { id, order }: { readonly id: string; readonly order: JsonObject },
  made: Answer,
): Promise<Answer> {
  const headers = withoutOurs(made.headers);
  const answer = {
    status: made.status,
    headers: headers.map(([name, value]) => [name, value]),
    body: base64.encode(made.body),
  };
  try {
    const path = `/api/v1/purchases/${id}/answer`;
    const ended = await patiently(() =>
      call(desk, { path, body: { ...order, answer }, timeoutMs: settleMs }),
    );
    return answerIn(ended["answer"], made.body);
  } catch (error) {
    return refusal(desk, error);
  }
}

type Posted = { readonly path: string; readonly body: JsonObject; readonly timeoutMs?: number };

const call = ({ session }: Desk, posted: Posted): Promise<JsonObject> =>
  session.call({ ...posted, method: "POST", bytesMax: answerBytesMax });

/** Brings them again while nobody answers: whoever brings the same twice hears what became of the first. */
async function patiently(work: () => Promise<JsonObject>): Promise<JsonObject> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if ((error instanceof Problem && error.status < 500) || attempt >= triesMax) throw error;
    }
  }
}

/** What the gateway refuses to this merchant, its buyer cannot mend: an outage, and the cause is the merchant's to see. */
function refusal({ origin }: Desk, error: unknown): Answer {
  if (error instanceof Problem && error.code === "offer_refused")
    throw new TypeError(`the gateway does not sell this: ${error.detail ?? ""}`, { cause: error });
  return problemBodyOf(
    new Problem("unavailable", {
      detail: "Send the same request again, with the same payment if it had one.",
      headers: { "Retry-After": "2" },
      cause: error,
    }),
    origin,
  );
}

function orderOf({ sale, method, url, headers, body }: Asked): JsonObject {
  return {
    sale: saleOf(sale),
    request: {
      method,
      url,
      headers: headers.map(([name, value]) => [name, value]),
      ...(body.length > 0 && { body_sha256: base64url.encode(sha256(body)) }),
    },
  };
}

function saleOf({ name, sku, amountMinor, currency, ...more }: Sale): JsonObject {
  const { description, serveByS, payWith, card, x402 } = more;
  return {
    name,
    sku,
    amount_minor: amountMinor,
    currency,
    ...(description !== undefined && { description }),
    ...(serveByS !== undefined && { serve_by_s: serveByS }),
    ...(payWith !== undefined && { pay_with: [...payWith] }),
    ...(card !== undefined && {
      card: { network_id: card.networkId, ...(card.account !== undefined && { account: card.account }) },
    }),
    ...(x402 !== undefined && {
      x402: {
        chain: x402.chain,
        pay_to: x402.payTo,
        ...(x402.confirmations !== undefined && { confirmations: x402.confirmations }),
      },
    }),
  };
}

const strange = (): Problem =>
  new Problem("unavailable", { detail: "The gateway gave no answer to a purchase." });

function answerIn(answer: Json | undefined, own: Uint8Array | undefined): Answer {
  if (!isJsonObject(answer)) throw strange();
  const { status, headers, body } = answer;
  const bytes = typeof body === "string" ? base64.decode(body) : own;
  if (typeof status !== "number" || !Array.isArray(headers) || bytes === undefined) throw strange();
  return { status, headers: headers.map(pairIn), body: bytes };
}

function pairIn(pair: Json): HeaderPair {
  const [name, value] = Array.isArray(pair) ? pair : [];
  if (typeof name !== "string" || typeof value !== "string") throw strange();
  return [name, value];
}

function payerIn(serve: Json | undefined): { readonly id: string; readonly payer: Payer } {
  if (!isJsonObject(serve)) throw strange();
  const { purchase, rail, payer, tells } = serve;
  const id = parseId("claim", purchase);
  const isRail = rail === "mandate" || rail === "card" || rail === "x402";
  if (id === undefined || !isRail || typeof payer !== "string") throw strange();
  const told = isJsonObject(tells) ? tells : {};
  const said = (name: string): string => (typeof told[name] === "string" ? told[name] : "");
  return {
    id,
    payer: {
      rail,
      payer,
      agentId: said("X-Remit-Agent"),
      mandateId: said("X-Remit-Mandate"),
      purchaseId: id,
    },
  };
}
