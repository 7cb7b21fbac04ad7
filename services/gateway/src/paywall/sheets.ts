import {
  base64url,
  formatChallenge,
  merchantNonceLength,
  namedText,
  type Problem,
  paymentAuthorizationHeader,
  paymentRequiredHeader,
  toProblemJson,
} from "@remit/protocol";
import { acceptable } from "./accept-payment.ts";
import {
  blankOf,
  type EncodedBlank,
  encoded,
  encodedBlank,
  type Form,
  formOf,
  hole,
  holes,
  written,
} from "./blanks.ts";
import { mppProblemType } from "./mpp-problems.ts";
import { paywallPage } from "./page.ts";
import type { DraftChallenge, PriceTag } from "./price-tags.ts";
import { drawOwn, unnamed } from "./terms.ts";
import type { Asking, Wanted } from "./wanted.ts";
import { errorOf, requiredText, sentenceOf } from "./words.ts";

/** A whole 402, ready to be sent. */
export type PaymentRequiredAnswer = {
  readonly status: 402;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
};

/** A 402, written but for what is one asker's alone. */
export type Sheet = {
  /** `PAYMENT-REQUIRED`, but for the merchant's nonce. */
  readonly required: EncodedBlank;
  readonly challenges: readonly ChallengeSheet[];
  readonly headers: Readonly<Record<string, string>>;
  /** But for the id of the request. */
  readonly body: Form;
};

type ChallengeSheet = {
  /** But for the merchant's nonce. */
  readonly request: EncodedBlank;
  /** Of which the id is the MAC, but for `request` and `opaque`. */
  readonly named: Form;
  /** The header, but for the same two and the id. */
  readonly text: Form;
};

// The words of the forms below, by their numbers.
const [request = "", opaque = "", id = ""] = holes;

export function makeSheet(
  tag: PriceTag,
  wanted: Wanted,
  { problem, asking }: { readonly problem: Problem; readonly asking: Asking },
): Sheet {
  const error = errorOf(problem);
  const requirements = tag.requirements.join(hole);
  const { type, body } = bodyOf(tag, wanted, { problem, asking });
  return {
    required: encodedBlank(
      blankOf(requiredText(wanted, { requirements, extensions: tag.extensions }, asciiOf(error))),
      merchantNonceLength,
      "base64",
    ),
    challenges: acceptable(tag.challenges, asking.acceptPayment).map((draft) =>
      challengeSheet(tag, draft, asking.hasOwnAuthorization),
    ),
    headers: {
      ...problem.headers,
      "Cache-Control": "no-store",
      Vary: "Accept, Accept-Payment, Authorization",
      ...type,
    },
    body: formOf(body),
  };
}

function challengeSheet(tag: PriceTag, draft: DraftChallenge, isElsewhere: boolean): ChallengeSheet {
  const header = isElsewhere && ({ header: paymentAuthorizationHeader } as const);
  const challenge = unnamed(tag, draft, { request, opaque, ...header });
  return {
    request: encodedBlank(draft.request, merchantNonceLength, "base64url"),
    named: formOf(namedText(challenge)),
    text: formOf(formatChallenge({ id, ...challenge })),
  };
}

type Typed = { readonly type: Readonly<Record<string, string>>; readonly body: string };

function bodyOf(
  { requirementsV1 }: PriceTag,
  wanted: Wanted,
  { problem, asking }: { readonly problem: Problem; readonly asking: Asking },
): Typed {
  if (asking.wantsHtml)
    return {
      type: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": pagePolicy },
      body: paywallPage(wanted, sentenceOf(problem)),
    };
  const json = {
    // The id of the request is left open.
    ...toProblemJson(problem, id, wanted.route.merchant.origin),
    status: 402,
    ...(asking.door === "mpp" && { type: mppProblemType(problem.code) }),
    x402Version: 1,
    error: errorOf(problem),
    accepts: requirementsV1,
  };
  return { type: { "Content-Type": "application/problem+json" }, body: JSON.stringify(json) };
}

/** The answer to one who asks. */
export function filledIn(tag: PriceTag, sheet: Sheet, requestId: string): PaymentRequiredAnswer {
  const own = drawOwn(tag);
  return {
    status: 402,
    headers: {
      [paymentRequiredHeader]: encoded(sheet.required, own.nonce),
      "WWW-Authenticate": sheet.challenges.map((challenge) => {
        const words = [encoded(challenge.request, own.nonce), own.opaque];
        const name = base64url.encode(tag.mac(written(challenge.named, words)));
        return written(challenge.text, [...words, name]);
      }),
      ...sheet.headers,
    },
    body: written(sheet.body, ["", "", requestId]),
  };
}

const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

// A header's value is ASCII; beyond it, readers do not agree.
const asciiOf = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");
