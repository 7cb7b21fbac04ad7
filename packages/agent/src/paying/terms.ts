import { fromRfc3339, type Instant } from "@remit/kernel";
import {
  type Challenge,
  challengeRequest,
  encodeHeader,
  formatCredential,
  type JsonObject,
  type MandateTerms,
  mandateMethod,
  mandateRequirement,
  mandateScheme,
  mandateTermsOf,
  Problem,
  parseChallenges,
  parsePaymentRequired,
  parseReceipt,
  parseSettleResponse,
  paymentReceiptHeader,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentSignatureHeader,
  receiptOfSettled,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/web";

/** One way to pay a 402 with a mandate, in the spelling of the protocol that offered it. */
export type Way = {
  readonly terms: MandateTerms;
  /** The header that carries the payment, and its value for a payload. */
  readonly header: string;
  credential(url: string, payload: JsonObject): string;
};

/** What a paid answer says about its payment. */
export type Settlement = { readonly charge: string; readonly receipt?: string };

/**
 * The ways a 402 can be paid with a mandate of this issuer, best first: x402, then MPP. What cannot be read, or says
 * something else than the offer it carries, is no way; it does not spoil the others.
 */
export function waysToPay(
  response: Response,
  { issuer, now }: { readonly issuer: string; readonly now: Instant },
): readonly Way[] {
  const ways = [...x402Ways(response), ...mppWays(response, now)];
  return ways.filter(({ terms }) => terms.issuer === issuer);
}

/** The charge and the receipt that a paid answer names; undefined when it says nothing that can be read. */
export function settlementOf(response: Response): Settlement | undefined {
  const settled = headerOf(response, paymentResponseHeader, parseSettleResponse);
  if (settled?.success === true)
    return settlement(
      settled.transaction,
      attempt(() => receiptOfSettled(settled)),
    );
  const receipt = headerOf(response, paymentReceiptHeader, parseReceipt);
  return receipt === undefined ? undefined : settlement(receipt.reference, receipt.receipt);
}

const settlement = (charge: string, receipt: string | undefined): Settlement =>
  receipt === undefined ? { charge } : { charge, receipt };

function x402Ways(response: Response): Way[] {
  const required = headerOf(response, paymentRequiredHeader, parsePaymentRequired);
  return (required?.accepts ?? [])
    .filter(({ scheme }) => scheme === mandateScheme)
    .flatMap((entry) => attempt(() => mandateTermsOf(sha256, entry)) ?? [])
    .map((terms) => ({
      terms,
      header: paymentSignatureHeader,
      credential: (url, payload) =>
        encodeHeader({
          x402Version: 2,
          resource: { url },
          accepted: mandateRequirement(sha256, terms),
          payload,
        }),
    }));
}

function mppWays(response: Response, now: Instant): Way[] {
  const value = response.headers.get("www-authenticate");
  return parseChallenges(value === null ? [] : [value])
    .filter(({ method, intent }) => method === mandateMethod.method && intent === mandateMethod.intent)
    .filter((challenge) => isOpen(challenge, now))
    .flatMap((challenge) => {
      const request = challengeRequest(challenge);
      const terms = request === undefined ? undefined : attempt(() => mandateTermsOf(sha256, request));
      if (terms === undefined) return [];
      const credential = (_: string, payload: JsonObject): string => formatCredential({ challenge, payload });
      return [{ terms, header: challenge.header ?? "Authorization", credential }];
    });
}

function isOpen({ expires }: Challenge, now: Instant): boolean {
  const until = expires === undefined ? undefined : fromRfc3339(expires);
  return expires === undefined || (until !== undefined && now < until);
}

function headerOf<T>(response: Response, name: string, parse: (value: string) => T): T | undefined {
  const value = response.headers.get(name);
  return value === null ? undefined : attempt(() => parse(value));
}

/** What a stranger wrote, or undefined when it is refused. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (refusal) {
    if (refusal instanceof Problem) return undefined;
    throw refusal;
  }
}
