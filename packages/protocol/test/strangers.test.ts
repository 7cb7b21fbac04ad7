import { instantOf } from "@remit/kernel";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  base64,
  base64url,
  checkMerchantNonce,
  examineInstruction,
  examineOffer,
  examineOfferResponse,
  examineReceipt,
  fieldValue,
  findSignature,
  formatChallenge,
  type HeaderPair,
  MalformedField,
  mandateTermsOf,
  Problem,
  parseChallenges,
  parseCredential,
  parseEvidenceKeys,
  parseOffer,
  parsePaymentRequired,
  parseReceipt,
  parseSettleResponse,
  publicJwkOf,
  readPaymentCredential,
} from "../src/index.ts";
import { generateJwk, sha256 } from "../src/node/index.ts";

const now = instantOf(1_764_000_000_000);
const keys = [publicJwkOf(generateJwk("EdDSA", "k"))];

/** Whatever a stranger sends, a parser answers or refuses; it never breaks. */
const neverBreaks = (parse: () => unknown): void => {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof MalformedField)) throw error;
  }
};

const words = [
  "Payment",
  "id=",
  '"',
  "\\",
  ",",
  ";",
  "=",
  "(",
  ")",
  ":",
  " ",
  "e30",
  "realm",
  "offer-sig",
  "é",
  "\n",
];
const salad = fc
  .array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 8, unit: "binary" })), { maxLength: 40 })
  .map((parts) => parts.join(""));
const json = fc.jsonValue({ maxDepth: 4 });
const encoded = json.map((value) => base64.encode(JSON.stringify(value)));
const jws = fc
  .tuple(json, json, fc.uint8Array({ maxLength: 64 }))
  .map(([header, payload, signature]) =>
    [JSON.stringify(header), JSON.stringify(payload), signature]
      .map((part) => base64url.encode(part))
      .join("."),
  );
const runs = { numRuns: 300 };

describe("what strangers send", () => {
  test("texts that are no tokens are refused, never a crash", () => {
    fc.assert(
      fc.property(fc.oneof(salad, encoded, jws), (text) => {
        const resource = { request: { method: "GET", targetUri: "https://a.example/" }, status: 200 };
        const body = new TextEncoder().encode(text);
        const headers: HeaderPair[] = [
          ["Signature-Input", text],
          ["Signature", text],
          ["Content-Digest", text],
        ];
        neverBreaks(() => examineOffer(text, { keys, now }));
        neverBreaks(() => examineOfferResponse({ ...resource, headers, body }, { keys, now, sha256 }));
        neverBreaks(() => examineReceipt(text, { issuer: "i", keys: [], sha256 }));
        neverBreaks(() => examineInstruction(text, { issuer: "i", audience: "a", keys, now }));
        neverBreaks(() =>
          checkMerchantNonce({
            nonce: text,
            macs: [sha256],
            now,
            place: { route: "r", method: "m", origin: "o" },
          }),
        );
        neverBreaks(() => findSignature("offer-sig", { request: { ...resource.request, fields: headers } }));
        neverBreaks(() =>
          [parsePaymentRequired, parseSettleResponse, parseReceipt, parseCredential].map((parse) =>
            neverBreaks(() => parse(text)),
          ),
        );
      }),
      runs,
    );
  });

  test("JSON of any shape is refused or read, never a crash", () => {
    fc.assert(
      fc.property(json, (value) => {
        // fast-check's JSON is ours; its type only lacks our readonly marks.
        const ours = JSON.parse(JSON.stringify(value));
        neverBreaks(() => parseOffer(ours));
        neverBreaks(() => parseEvidenceKeys(ours));
        neverBreaks(() => mandateTermsOf(sha256, ours));
      }),
      runs,
    );
  });

  test("headers of any kind hold one credential, none, or are refused", () => {
    const names = fc.constantFrom(
      "X-Payment",
      "PAYMENT-SIGNATURE",
      "Authorization",
      "Payment-Authorization",
      "Accept",
    );
    const value = fc.oneof(
      salad,
      encoded,
      salad.map((text) => `Payment ${text}`),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(names, value), { maxLength: 4 }), (headers) => {
        neverBreaks(() => readPaymentCredential(headers));
        neverBreaks(() => headers.map(([name]) => fieldValue(name.toLowerCase(), headers)));
      }),
      runs,
    );
  });

  test("challenges in any text are sound or left out", () => {
    fc.assert(
      fc.property(salad, (text) => {
        for (const { id, realm, request } of parseChallenges([text, `Payment ${text}`]))
          expect([id, realm, request]).not.toContain("");
      }),
      runs,
    );
  });

  test("a challenge survives the header it is sent in", () => {
    const text = fc.string({
      minLength: 1,
      maxLength: 30,
      unit: fc.constantFrom("a", "b", " ", '"', "\\", ",", "=", ";", "é", "("),
    });
    fc.assert(
      fc.property(text, text, (realm, description) => {
        const challenge = { id: "x", realm, method: "oid4ac", intent: "charge", request: "e30", description };
        const [read] = parseChallenges([formatChallenge(challenge)]);
        const ascii = (value: string) => value.replaceAll("é", "\\u00e9");
        expect(read).toEqual({ ...challenge, realm: ascii(realm), description: ascii(description) });
      }),
      runs,
    );
  });
});
