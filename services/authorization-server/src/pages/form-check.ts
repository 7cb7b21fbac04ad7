import { createHmac, timingSafeEqual } from "node:crypto";
import type { PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { type Html, html } from "./html.ts";

/** The member that every form's schema has: `z.strictObject({ csrf, … })`. */
export const csrf = z.string().max(128);

/**
 * Tells our own page's form from everybody else's (A17). `conversation` is what binds the browser and is in one of its
 * cookies only: the uid of an interaction, the uid of a session.
 */
export type FormCheck = {
  /** The hidden field. */
  field(conversation: string): Html;
  /** Throws `forbidden` unless the form came from our page in this conversation. Before anything else is looked at. */
  check(call: PageCall, sent: { readonly conversation: string; readonly csrf: string }): void;
};

export function createFormCheck({ issuer, key }: { issuer: string; key: Uint8Array }): FormCheck {
  const tokenOf = (conversation: string): string =>
    createHmac("sha256", key).update(conversation).digest("base64url");
  return {
    field: (conversation) => html`<input type="hidden" name="csrf" value="${tokenOf(conversation)}">`,
    check(call, sent) {
      const expected = Buffer.from(tokenOf(sent.conversation));
      const given = Buffer.from(sent.csrf);
      const origin = call.header("origin");
      const site = call.header("sec-fetch-site");
      const ours =
        given.length === expected.length &&
        timingSafeEqual(given, expected) &&
        (origin === undefined || origin === issuer) &&
        (site === undefined || site === "same-origin");
      if (!ours) throw new Problem("forbidden", { detail: "This form was not sent from our page." });
    },
  };
}
