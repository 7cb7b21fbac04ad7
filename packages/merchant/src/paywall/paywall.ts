import { after, type Clock, dayMs, type Id, systemClock } from "@remit/kernel";
import {
  encodeHeader,
  formatReceipt,
  type HeaderPair,
  mandateMethod,
  mandateSettled,
  type PrivateJwk,
  Problem,
  paymentReceiptHeader,
  paymentResponseHeader,
  remitNetwork,
} from "@remit/protocol";
import { hmacSha256, sha256, sha256b64url } from "@remit/protocol/web";
import { type Charge, createMerchant, type Merchant, type MerchantOptions } from "../charges.ts";
import { type Answer, type AnswerStore, createAnswerMemory, type KeptPurchase } from "./answers.ts";
import {
  type Asked,
  askForPayment,
  checkPayment,
  type MandateGiven,
  problemBody,
  readPayment,
  requestDigest,
  type TermsDeps,
} from "./terms.ts";

export type { Sale } from "./terms.ts";

export type PaywallOptions = Omit<MerchantOptions, "keys"> & {
  /** The merchant's id in the directory, and the origin at which it sells. */
  readonly merchant: Id<"merchant">;
  readonly origin: string;
  readonly keys: MerchantOptions["keys"] & { readonly offer: PrivateJwk };
  /** At least 32 bytes, the same in every process; the first makes, all are taken: put a new one in front. */
  readonly nonceSecrets: readonly [Uint8Array, ...Uint8Array[]];
  readonly livemode: boolean;
  /** In this process alone unless given. */
  readonly answers?: AnswerStore;
};

/** What a request comes to: an answer, or a payment that is held while the handler works. */
export type Entered =
  | { readonly kind: "answer"; readonly answer: Answer }
  | {
      readonly kind: "serve";
      readonly payer: Payer;
      /** Takes the money for an answer below 400, returns it for any other; the answer to be sent. */
      finish(answer: Answer): Promise<Answer>;
    };

export type Payer = { readonly chargeId: Id<"charge">; readonly mandateId: string; readonly agentId: string };

/** Sells what the merchant's own handlers answer, under mandates. */
export type Paywall = {
  readonly origin: string;
  enter(asked: Asked): Promise<Entered>;
};

const secretBytesMin = 32;
const triesMax = 3;

export function createPaywall(options: PaywallOptions): Paywall {
  const { clock = systemClock, nonceSecrets, keys } = options;
  if (nonceSecrets.some(({ length }) => length < secretBytesMin))
    throw new TypeError(`a nonce secret has at least ${secretBytesMin} bytes`);
  const [first, ...others] = nonceSecrets.map((secret) => hmacSha256(secret));
  if (first === undefined) throw new TypeError("there is a nonce secret");
  const { assertion, dpop } = keys;
  const till: Till = {
    ...options,
    clock,
    offerKey: keys.offer,
    macs: [first, ...others],
    charges: createMerchant({ ...options, keys: { assertion, dpop }, clock }),
    answers: options.answers ?? createAnswerMemory(clock),
  };
  return { origin: options.origin, enter: (asked) => enter(till, asked) };
}

type Till = TermsDeps & { readonly charges: Merchant; readonly answers: AnswerStore; readonly clock: Clock };

async function enter(till: Till, request: Asked): Promise<Entered> {
  // Nobody pays for a head alone: it asks what GET would cost.
  const isHead = request.method === "HEAD";
  const asked = isHead ? { ...request, method: "GET" } : request;
  try {
    const given = isHead ? undefined : readPayment(asked);
    if (given === undefined) throw new Problem("payment_required");
    return await buy(till, asked, given);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { kind: "answer", answer: await refusal(till, asked, error) };
  }
}

/** What asks for another payment is a 402 with fresh terms; a conflict or an outage is told as it is. */
async function refusal(till: Till, asked: Asked, problem: Problem): Promise<Answer> {
  const untold = problem.code === "credential_ambiguous" || problem.code === "credential_malformed";
  if ([400, 401, 402, 403].includes(problem.status) && !untold)
    return await askForPayment(till, asked, problem);
  return problemBodyOf(problem, till.origin);
}

/** A refusal that asks for no payment. */
export function problemBodyOf(problem: Problem, origin: string): Answer {
  const headers = Object.entries(problem.headers ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one): HeaderPair => [name, one]),
  );
  const type: HeaderPair = ["Content-Type", "application/problem+json"];
  return {
    status: problem.status,
    headers: [...headers, type, ["Cache-Control", "no-store"]],
    body: problemBody(problem, origin),
  };
}

/** One credential, one charge, one run of the handler: whoever comes second gets the first one's answer, or a conflict. */
async function buy(till: Till, asked: Asked, given: MandateGiven): Promise<Entered> {
  const key = sha256b64url(`${given.presentation}.${given.accessToken}`);
  const request = requestDigest(asked);
  const before = await till.answers.find(key);
  if (before !== undefined) return await again(till, { key, request, purchase: before });
  await checkPayment(till, asked, given);
  const fresh: KeptPurchase = { request, state: "open" };
  const known = await till.answers.claim(key, fresh, after(till.clock.now(), dayMs));
  if (known !== undefined) return await again(till, { key, request, purchase: known });
  const charge = await hold(till, { asked, given, key });
  const { agent_id: agentId } = charge.body;
  return {
    kind: "serve",
    payer: {
      chargeId: charge.id,
      mandateId: charge.mandateId,
      agentId: typeof agentId === "string" ? agentId : "",
    },
    finish: (answer) => finish(till, { key, purchase: { ...fresh, charge: charge.id }, charge, answer }),
  };
}

type Known = { readonly key: string; readonly request: string; readonly purchase: KeptPurchase };

async function again(till: Till, { key, request, purchase }: Known): Promise<Entered> {
  if (purchase.request !== request)
    throw new Problem("presentation_used", { detail: "It was used for another request." });
  const { answer, charge } = purchase;
  if (answer === undefined || charge === undefined)
    throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
  if (purchase.state === "captured") return { kind: "answer", answer: replayed(answer) };
  // It was served, and nobody has said yet whether the capture went through.
  return { kind: "answer", answer: await capture(till, { key, purchase, charge, answer }) };
}

const replayed = (answer: Answer): Answer => ({
  ...answer,
  headers: [...answer.headers, ["Idempotent-Replayed", "true"]],
});

type Holding = { readonly asked: Asked; readonly given: MandateGiven; readonly key: string };

/** The charge, held. Anything else than that it is held frees the credential or says to come back. */
async function hold(till: Till, { asked, given, key }: Holding): Promise<Charge> {
  const { offer, presentation, accessToken, merchantNonce } = given;
  const order = { offer, presentation, accessToken, merchantNonce, capture: "manual" } as const;
  let charge: Charge;
  try {
    charge = await patiently(() => till.charges.charge({ ...order, serveByS: asked.sale.serveByS ?? 60 }));
  } catch (error) {
    // The same credential asks for the same charge: nothing is lost by forgetting that it was tried.
    await till.answers.forget(key);
    throw error;
  }
  if (charge.status === "authorized" || charge.status === "held") return charge;
  await till.answers.forget(key);
  if (charge.status === "captured")
    throw new Problem("already_settled", {
      detail: "It is paid, and this process has no answer to it any more.",
      ...(charge.receipt !== undefined && { extra: { receipt: charge.receipt } }),
    });
  if (["released", "declined", "expired"].includes(charge.status))
    throw new Problem("presentation_used", { status: 402, detail: "Nothing was paid; pay the new offer." });
  throw new Problem("charge_in_progress", { headers: { "Retry-After": "2" } });
}

type Finishing = {
  readonly key: string;
  readonly purchase: KeptPurchase;
  readonly charge: Charge;
  readonly answer: Answer;
};

async function finish(till: Till, { key, purchase, charge, answer }: Finishing): Promise<Answer> {
  if (answer.status >= 400) {
    // A hold that could not be returned now is let go by the authorization server at its serve_by.
    await patiently(() => till.charges.release(charge.id, "upstream_failed")).catch(() => undefined);
    await till.answers.forget(key);
    return { ...answer, headers: withoutOurs(answer.headers) };
  }
  const served: KeptPurchase = { ...purchase, answer, state: "served" };
  await till.answers.keep(key, served);
  try {
    return await capture(till, { key, purchase: served, charge: charge.id, answer });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return problemBodyOf(error, till.origin);
  }
}

type Capturing = Omit<Finishing, "charge"> & { readonly charge: Id<"charge"> };

/** Past here the answer is the payer's, whatever becomes of the connection. */
async function capture(till: Till, { key, purchase, charge: id, answer }: Capturing): Promise<Answer> {
  let charge: Charge;
  try {
    charge = await patiently(() => till.charges.capture(id, { responseDigest: sha256b64url(answer.body) }));
  } catch (error) {
    if (error instanceof Problem && error.status < 500) {
      // Revoked meanwhile, say: it is not paid, and nothing is delivered.
      await till.answers.forget(key);
      throw error;
    }
    throw new Problem("charge_in_progress", {
      status: 503,
      headers: { "Retry-After": "2" },
      detail: "Send the same request with the same credential again.",
      cause: error,
    });
  }
  if (charge.status !== "captured") throw new Problem("charge_in_progress", { status: 503 });
  const paid = withReceipt(till, charge, answer);
  await till.answers.keep(key, { ...purchase, answer: paid, state: "captured" });
  return paid;
}

/** Asks again under the same key while there is no answer: the key makes it the same call. */
async function patiently(call: () => Promise<Charge>): Promise<Charge> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const isNo = error instanceof Problem && error.status < 500;
      if (isNo || attempt >= triesMax) throw error;
    }
  }
}

const ours =
  /^(?:payment-(?:required|response|receipt)|x-payment-response|remit-receipt|idempotent-replayed|cache-control)$/i;

const withoutOurs = (headers: Answer["headers"]): HeaderPair[] =>
  headers.filter(([name]) => !ours.test(name));

function withReceipt({ issuer, clock }: Till, charge: Charge, answer: Answer): Answer {
  const { id, amountMinor, receipt } = charge;
  const payer = charge.body["agent_id"];
  const settled = mandateSettled({
    charge: id,
    network: remitNetwork(sha256, issuer),
    payer: typeof payer === "string" ? payer : "",
    amountMinor,
    ...(receipt !== undefined && { receipt }),
  });
  return {
    ...answer,
    headers: [
      ...withoutOurs(answer.headers),
      ["Cache-Control", "private"],
      [paymentResponseHeader, encodeHeader(settled)],
      [paymentReceiptHeader, formatReceipt({ method: mandateMethod.method, at: clock.now(), reference: id })],
      ...(receipt === undefined ? [] : [["Remit-Receipt", receipt] as const]),
    ],
  };
}
