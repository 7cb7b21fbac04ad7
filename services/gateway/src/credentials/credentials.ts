import {
  authCaptureScheme,
  type Challenge,
  cardScheme,
  challengeRequest,
  evmMethod,
  evmNetworksV1,
  exactScheme,
  type JsonObject,
  mandateMethod,
  mandateScheme,
  mandateTermsOf,
  type PaymentCredential,
  type PaymentPayload,
  type PaymentRequirement,
  Problem,
  parseCardPayload,
  parseEvmPayload,
  parseMandatePayload,
  parsePermit,
  parseStripePayload,
  parseTransfer,
  paymentIdentifierOf,
  readPaymentCredential,
  type SignedTransfer,
  stripeMethod,
  uptoScheme,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Door } from "../paywall/index.ts";
import { type Fields, valuesOf } from "../proxy/index.ts";

type Came = {
  readonly door: Door;
  /** The challenge that is answered, where the protocol has one. */
  readonly challenge?: Challenge;
  /** x402 v2: the buyer's echo of our entry. */
  readonly accepted?: PaymentRequirement;
  /** x402's name for the purchase, of the client's choice. */
  readonly identifier?: string;
};

/** A payment with a mandate as it came with a request: read, and nothing of it believed yet. */
export type MandateCredential = Came & {
  readonly rail: "mandate";
  /** Absent where the protocol does not echo it. */
  readonly issuer?: string;
  /** The offer as it was signed (compact JWS). */
  readonly offer: string;
  readonly merchantNonce: string;
  readonly presentation: string;
  readonly accessToken: string;
};

/** A shared payment token. */
export type CardCredential = Came & {
  readonly rail: "card";
  readonly spt: string;
  readonly externalId?: string;
  /** The draft card binding's name of the payment, unique for its payee. */
  readonly paymentId?: string;
};

/** A transfer that the payer has signed. */
export type TransferCredential = Came & {
  readonly rail: "x402";
  /** CAIP-2; absent where the challenge says it. */
  readonly network?: string;
  readonly transfer: SignedTransfer;
};

export type Credential = MandateCredential | CardCredential | TransferCredential;

/**
 * The one credential of a request, or undefined when it carries none (V05). What cannot be read is refused with 400, what
 * pays in a way that nobody sells with `no_acceptable_payment`.
 */
export function readCredential(fields: Fields): Credential | undefined {
  const found = readPaymentCredential(fields);
  return found === undefined ? undefined : credentialOf(found);
}

/** By which protocol a request tries to pay, whether or not that can be read. */
export function doorOf(fields: Fields): Door | undefined {
  if (valuesOf(fields, "payment-signature").length > 0) return "x402";
  if (valuesOf(fields, "x-payment").length > 0) return "x402-v1";
  const isMpp =
    valuesOf(fields, "payment-authorization").length > 0 ||
    valuesOf(fields, "authorization").some((value) => /^\s*payment(\s|$)/i.test(value));
  return isMpp ? "mpp" : undefined;
}

function credentialOf(found: PaymentCredential): Credential {
  if (found.kind === "mpp") return ofChallenge(found.credential.challenge, found.credential.payload);
  if (found.kind === "spt") {
    const { spt, externalId } = found;
    return { rail: "card", door: "x402-v1", spt, ...(externalId !== undefined && { externalId }) };
  }
  if (found.version === 2) return ofAccepted(found.payment);
  const { scheme, network, payload } = found;
  if (scheme === mandateScheme)
    return { rail: "mandate", door: "x402-v1", ...namedTerms(payload), ...parseMandatePayload(payload) };
  if (scheme === exactScheme)
    return {
      rail: "x402",
      door: "x402-v1",
      network: evmNetworksV1[network] ?? network,
      transfer: parseTransfer(payload),
    };
  throw unsupported();
}

function ofChallenge(challenge: Challenge, payload: JsonObject): Credential {
  const came = { door: "mpp", challenge } as const;
  switch (`${challenge.method}/${challenge.intent}`) {
    case `${mandateMethod.method}/${mandateMethod.intent}`:
      return {
        ...came,
        rail: "mandate",
        ...mandateTermsOf(sha256, requestOf(challenge)),
        ...parseMandatePayload(payload),
      };
    case `${stripeMethod.method}/${stripeMethod.intent}`:
      return { ...came, rail: "card", ...parseStripePayload(payload) };
    case `${evmMethod.method}/${evmMethod.intent}`:
      return { ...came, rail: "x402", transfer: parseEvmPayload(payload) };
    default:
      throw new Problem("payment_method_unsupported");
  }
}

function ofAccepted({ accepted, payload, extensions }: PaymentPayload): Credential {
  const identifier = paymentIdentifierOf(extensions);
  const came = { door: "x402", accepted, ...(identifier !== undefined && { identifier }) } as const;
  switch (accepted.scheme) {
    case mandateScheme:
      return {
        ...came,
        rail: "mandate",
        ...mandateTermsOf(sha256, accepted),
        ...parseMandatePayload(payload),
      };
    case exactScheme:
      return { ...came, rail: "x402", network: accepted.network, transfer: parseTransfer(payload) };
    case uptoScheme:
      return { ...came, rail: "x402", network: accepted.network, transfer: parsePermit(payload) };
    case cardScheme:
    case authCaptureScheme:
      return { ...came, rail: "card", ...parseCardPayload(payload) };
    default:
      throw unsupported();
  }
}

function requestOf(challenge: Challenge): JsonObject {
  const request = challengeRequest(challenge);
  if (request === undefined)
    throw new Problem("credential_malformed", { detail: "challenge.request is no JSON." });
  return request;
}

/** x402 v1 echoes no requirement, so the payload of a mandate names the terms itself. */
function namedTerms({
  offer,
  merchant_nonce: merchantNonce,
}: JsonObject): Pick<MandateCredential, "offer" | "merchantNonce"> {
  if (typeof offer !== "string" || typeof merchantNonce !== "string")
    throw new Problem("credential_malformed", {
      detail: "payload.offer and payload.merchant_nonce are missing.",
    });
  return { offer, merchantNonce };
}

const unsupported = (): Problem =>
  new Problem("no_acceptable_payment", { detail: "This resource is not sold by that scheme." });
