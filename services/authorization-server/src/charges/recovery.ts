import { after, hourMs, type Instant, minuteMs, secondMs, unreachable } from "@remit/kernel";
import type { Charge } from "./charges.ts";

/** What recovery does with a charge that nobody drives. */
export type Recovery =
  /** Reads billing and follows: further where the principal has said yes, else back. */
  | { readonly kind: "read" }
  /** The principal has said yes to all of it. */
  | { readonly kind: "capture" }
  | { readonly kind: "release"; readonly because: string }
  | { readonly kind: "later"; readonly at: Instant }
  | { readonly kind: "over" };

/** Before the commit point a charge is released once its time has passed; after it, it is captured until it is. */
export function recover(charge: Charge, now: Instant): Recovery {
  switch (charge.state) {
    case "authorizing":
      // Whatever billing last said or did not say: nobody serves it any more, and a late hold meets the release.
      if (now >= charge.serveBy) return { kind: "release", because: "serve_by_passed" };
      return { kind: "read" };
    case "capturing":
    case "releasing":
    case "refunding":
      return { kind: "read" };
    case "pending_approval":
      // Where there is a payment, its holder may have confirmed it at the issuer.
      if (charge.payment !== undefined) return { kind: "read" };
      return { kind: "later", at: after(charge.asking?.until ?? now, minuteMs) };
    case "authorized":
      if (now >= charge.serveBy) return { kind: "release", because: "serve_by_passed" };
      if (charge.approvedAt !== undefined && charge.captureMode === "automatic") return { kind: "capture" };
      return { kind: "later", at: charge.serveBy };
    case "committed":
      if (now >= charge.captureBy) return { kind: "release", because: "capture_by_passed" };
      return { kind: "later", at: charge.captureBy };
    case "captured":
    case "refunded":
    case "released":
    case "declined":
    case "expired":
      return { kind: "over" };
    default:
      return unreachable(charge.state);
  }
}

const lookAgainMsMax = hourMs / 4;

/** Whether billing has been asked for something and has not given its outcome. */
export const isUnderWay = ({ state }: Charge): boolean =>
  state === "authorizing" || state === "capturing" || state === "releasing" || state === "refunding";

/** When to look again at an unknown outcome: a quarter of its age later, within 1 s and 15 min. */
export function lookAgainAt(since: Instant, now: Instant): Instant {
  const wanted = Math.max(secondMs, Math.min((now - since) / 4, lookAgainMsMax));
  return after(now, Math.ceil(wanted));
}
