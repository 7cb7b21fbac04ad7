import { Problem } from "@remit/protocol";
import type { PriceTag } from "./price-tags.ts";
import { filledIn, makeSheet, type PaymentRequiredAnswer, type Sheet } from "./sheets.ts";
import type { TermsDeps } from "./terms.ts";
import type { Asking, Wanted } from "./wanted.ts";

type Why = { readonly problem: Problem; readonly asking: Asking };

/**
 * One answer that every protocol can read: `PAYMENT-REQUIRED` (x402 v2), `WWW-Authenticate: Payment` (MPP), and a body
 * that is problem+json and x402 v1 at once. The v1 list holds `exact` on networks that v1 names and nothing else: its
 * clients refuse an answer over one entry that they do not know.
 */
export function paymentRequired(deps: TermsDeps, wanted: Wanted, why: Why): PaymentRequiredAnswer {
  const tag = deps.tags.of(wanted, why.asking.now);
  return filledIn(tag, sheetOf(tag, wanted, why), why.asking.requestId);
}

// Of one tag: a sheet is some kilobytes, and who asks for ever other ways to pay finds each of them made anew.
const keptMax = 4;
const kept = new WeakMap<PriceTag, Map<string, Sheet>>();

/** What those who have not tried to pay are told is written once for as long as the tag holds. */
function sheetOf(tag: PriceTag, wanted: Wanted, why: Why): Sheet {
  const { problem, asking } = why;
  const { wantsHtml, acceptPayment = "", hasOwnAuthorization, door } = asking;
  if (problem !== unpaid || hasOwnAuthorization || door !== undefined) return makeSheet(tag, wanted, why);
  const key = `${wantsHtml} ${acceptPayment}`;
  const sheets = kept.get(tag) ?? new Map<string, Sheet>();
  kept.set(tag, sheets);
  const known = sheets.get(key);
  if (known !== undefined) return known;
  if (sheets.size >= keptMax) sheets.clear();
  const fresh = makeSheet(tag, wanted, why);
  sheets.set(key, fresh);
  return fresh;
}

/** Nobody has tried to pay yet: nothing went wrong, so nobody needs to know where. */
export const unpaid = new Problem("payment_required");

/** True when the caller would rather see a page: a browser names text/html, a program does not. */
export const prefersHtml = (accept: string | undefined): boolean =>
  accept !== undefined && /\b(?:text\/html|application\/xhtml\+xml)\b/i.test(accept);
