import type { Instant } from "@remit/kernel";
import {
  base64,
  formatChallenge,
  type PaymentRequired,
  type Problem,
  paymentAuthorizationHeader,
  paymentRequiredHeader,
  problems,
  toProblemJson,
} from "@remit/protocol";
import { acceptable } from "./accept-payment.ts";
import { mppProblemType } from "./mpp-problems.ts";
import { paywallPage } from "./page.ts";
import { type Terms, type TermsDeps, termsOf } from "./terms.ts";
import type { Door, Wanted } from "./wanted.ts";

/** A whole 402, ready to be sent. */
export type PaymentRequiredAnswer = {
  readonly status: 402;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
};

/** How the buyer asked: what it can read, and whether `Authorization` is taken by a token of its own. */
export type Asking = {
  readonly now: Instant;
  readonly requestId: string;
  readonly wantsHtml: boolean;
  readonly hasOwnAuthorization: boolean;
  /** `Accept-Payment`. */
  readonly acceptPayment?: string;
  /** By which protocol it tried to pay. */
  readonly door?: Door;
};

/**
 * One answer that every protocol can read: `PAYMENT-REQUIRED` (x402 v2), `WWW-Authenticate: Payment` (MPP), and a body
 * that is problem+json and x402 v1 at once. The v1 list holds `exact` on networks that v1 names and nothing else: its
 * clients refuse an answer over one entry that they do not know.
 */
export function paymentRequired(
  deps: TermsDeps,
  wanted: Wanted,
  why: { problem: Problem; asking: Asking },
): PaymentRequiredAnswer {
  const { problem, asking } = why;
  const terms = termsOf(deps, wanted, {
    now: asking.now,
    ...(asking.hasOwnAuthorization && { header: paymentAuthorizationHeader }),
  });
  const { requirementsV1, challenges } = terms;
  const error = errorOf(problem);
  const headers = {
    ...problem.headers,
    [paymentRequiredHeader]: base64.encode(requiredText(wanted, terms, ascii(error))),
    "WWW-Authenticate": acceptable(challenges, asking.acceptPayment).map(formatChallenge),
    "Cache-Control": "no-store",
    Vary: "Accept, Accept-Payment, Authorization",
  };
  if (asking.wantsHtml)
    return {
      status: 402,
      headers: {
        ...headers,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": pagePolicy,
      },
      body: paywallPage(wanted, problem.detail ?? problems[problem.code].title),
    };
  const json = {
    ...toProblemJson(problem, asking.requestId, wanted.route.merchant.origin),
    status: 402,
    ...(asking.door === "mpp" && { type: mppProblemType(problem.code) }),
    x402Version: 1,
    error,
    accepts: requirementsV1,
  };
  return {
    status: 402,
    headers: { ...headers, "Content-Type": "application/problem+json" },
    body: JSON.stringify(json),
  };
}

/** The JSON of the 402 in x402 v2's words, whatever carries it. Entries and extensions are JSON already. */
export function requiredText(
  { url, route }: Wanted,
  { requirements, extensions }: Pick<Terms, "requirements" | "extensions">,
  error: string,
): string {
  const rest: Omit<PaymentRequired, "accepts" | "extensions"> = {
    x402Version: 2,
    error,
    resource: { url, description: route.name },
  };
  return `${JSON.stringify(rest).slice(0, -1)},"accepts":${requirements},"extensions":${extensions}}`;
}

/** A rail's own word where there is one: clients of x402 act on it. */
export function errorOf(problem: Problem): string {
  const reason = problem.extra?.["reason"];
  return typeof reason === "string" ? reason : (problem.detail ?? problems[problem.code].title);
}

const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

// A header's value is ASCII; beyond it, readers do not agree.
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");

/** True when the caller would rather see a page: a browser names text/html, a program does not. */
export const prefersHtml = (accept: string | undefined): boolean =>
  accept !== undefined && /\b(?:text\/html|application\/xhtml\+xml)\b/i.test(accept);
