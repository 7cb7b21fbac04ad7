import type { JsonObject } from "../encoding/index.ts";
import { Members } from "../members.ts";

/** The extension by which a client names a purchase, so that it is made once and found again. */
export const paymentIdentifierExtension = "payment-identifier";

const rule = { pattern: /^[A-Za-z0-9_-]{16,128}$/ };

/** What a 402 says of it. */
export const paymentIdentifierOffer = (required: boolean): JsonObject => ({
  info: { required },
  schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: {
      required: { type: "boolean" },
      id: { type: "string", minLength: 16, maxLength: 128, pattern: "^[A-Za-z0-9_-]+$" },
    },
    required: ["required"],
  },
});

/** The id in a payment's extensions; undefined when it names none, `credential_malformed` when it is no id. */
export function paymentIdentifierOf(extensions: JsonObject | undefined): string | undefined {
  if (extensions?.[paymentIdentifierExtension] === undefined) return undefined;
  const all = Members.of(extensions, "credential_malformed", "extensions");
  const info = all.members(paymentIdentifierExtension).members("info");
  return info.maybe("id", () => info.text("id", rule));
}
