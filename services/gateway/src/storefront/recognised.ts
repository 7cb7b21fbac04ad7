import type { PageCall } from "@remit/platform/http";
import type { Offers } from "../offers/index.ts";
import {
  type Asking,
  type PaymentRequiredAnswer,
  paymentRequired,
  unpaid,
  type Wanted,
} from "../paywall/index.ts";
import type { StorefrontDeps } from "./storefront.http.ts";

type Unpaid = {
  /** What was for sale when the route was chosen. */
  readonly offers: Offers;
  readonly wanted: Wanted;
  readonly asking: Omit<Asking, "now" | "requestId">;
};

/**
 * Whoever asks for the same price in the same bytes is told it without being read again. What is answered is made anew each
 * time, of what is for sale then: a change there, or an upstream that is down, and the request is looked at after all.
 */
export function recogniseUnpaid(
  { book, upstreams, terms, traffic }: Pick<StorefrontDeps, "book" | "upstreams" | "terms" | "traffic">,
  recognise: NonNullable<PageCall["recognise"]>,
  { offers, wanted, asking }: Unpaid,
): void {
  const { route } = wanted;
  recognise({
    asLongAs: offers,
    answer: (call): PaymentRequiredAnswer | undefined => {
      if (book.current() !== offers || isDown(upstreams, route)) return undefined;
      traffic.count(route, { statusCode: unpaid.status, once: (_, counted) => counted() });
      return paymentRequired(terms, wanted, { problem: unpaid, asking: { ...asking, ...call } });
    },
  });
}

function isDown(upstreams: StorefrontDeps["upstreams"], { upstream, health }: Wanted["route"]): boolean {
  try {
    upstreams.check(upstream, health?.path);
    return false;
  } catch {
    return true;
  }
}
