import { after, type Clock, dayMs, type Id, type Instant, systemClock } from "@remit/kernel";
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

export type Payer = {
  readonly rail: "mandate" | "card" | "x402";
  /** The agent, the address, or a pseudonym of the card's token. */
  readonly payer: string;
  /** Under a mandate; empty otherwise. */
  readonly mandateId: string;
  readonly agentId: string;
  readonly chargeId?: Id<"charge">;
  /** At the gateway, where one takes the payments. */
  readonly purchaseId?: Id<"claim">;
};

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
  if (request.sale.payWith?.some((rail) => rail !== "mandate") === true)
    throw new TypeError("a card and a chain are taken by a gateway: createGatewayPaywall");
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

/** One charge, one run of the handler: whoever comes second gets the first one's answer, or a conflict. */
async function buy(till: Till, asked: Asked, given: MandateGiven): Promise<Entered> {
  const key = sha256b64url(`${given.presentation}.${given.accessToken}`);
  const fresh: KeptPurchase = { request: requestDigest(asked), state: "open" };
  const buying: Buying = { asked, given, key, fresh };
  const before = await till.answers.find(key);
  if (before !== undefined) return await again(till, buying, before);
  await checkPayment(till, asked, given);
  const known = await till.answers.claim(key, fresh, keptUntil(till));
  if (known !== undefined) return await again(till, buying, known);
  return await serve(till, buying, await hold(till, buying));
}

type Buying = {
  readonly asked: Asked;
  readonly given: MandateGiven;
  /** Of the credential as it was sent. */
  readonly key: string;
  readonly fresh: KeptPurchase;
};

const keptUntil = ({ clock }: Till): Instant => after(clock.now(), dayMs);

/** A credential that has been here: it leads to its charge, under whose id all that becomes of that is kept. */
async function again(till: Till, buying: Buying, { request, charge }: KeptPurchase): Promise<Entered> {
  if (request !== buying.fresh.request) throw ofAnotherRequest();
  if (charge === undefined) throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
  const purchase = await till.answers.find(charge);
  if (purchase !== undefined) return await answered(till, buying, { charge, purchase });
  // Its principal was asked, say, and may have said yes since.
  return await serve(till, buying, await read(till, charge));
}

const ofAnotherRequest = (): Problem =>
  new Problem("presentation_used", { detail: "It was used for another request." });

type OfCharge = { readonly charge: Id<"charge">; readonly purchase: KeptPurchase };

async function answered(till: Till, { fresh }: Buying, { charge, purchase }: OfCharge): Promise<Entered> {
  if (purchase.request !== fresh.request) throw ofAnotherRequest();
  const { answer, state, receipt } = purchase;
  if (answer === undefined && state === "captured") throw alreadySettled(receipt);
  if (answer === undefined) throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
  if (state === "captured") return { kind: "answer", answer: replayed(answer) };
  // It was served, and nobody has said yet whether the capture went through.
  return { kind: "answer", answer: await capture(till, { purchase, charge, answer }) };
}

const replayed = (answer: Answer): Answer => ({
  ...answer,
  headers: [...answer.headers, ["Idempotent-Replayed", "true"]],
});

/** The charge that the credential asks for. A refusal frees the credential, which asks for the same charge again. */
async function hold(till: Till, { asked, given, key }: Buying): Promise<Charge> {
  const { offer, presentation, accessToken, merchantNonce } = given;
  const order = { offer, presentation, accessToken, merchantNonce, capture: "manual" } as const;
  try {
    return await patiently(() => till.charges.charge({ ...order, serveByS: asked.sale.serveByS ?? 60 }));
  } catch (error) {
    await till.answers.forget(key);
    if (error instanceof Problem && error.status < 500 && !isDecided(error)) throw undecided(error);
    throw error;
  }
}

/**
 * Runs the handler for a charge that is held, once: a signature can be made anew over the same offer and nonce, and the
 * authorization server answers each with the one charge, so that its id is what is claimed (C03).
 */
async function serve(till: Till, buying: Buying, charge: Charge): Promise<Entered> {
  const purchase: KeptPurchase = { ...buying.fresh, charge: charge.id };
  await till.answers.keep(buying.key, purchase);
  const isHeld = charge.status === "authorized" || charge.status === "held";
  const known = isHeld
    ? await till.answers.claim(charge.id, purchase, keptUntil(till))
    : await till.answers.find(charge.id);
  if (known !== undefined) return await answered(till, buying, { charge: charge.id, purchase: known });
  if (!isHeld) throw notToServe(charge);
  const { agent_id: agent } = charge.body;
  const agentId = typeof agent === "string" ? agent : "";
  return {
    kind: "serve",
    payer: {
      rail: "mandate",
      payer: agentId,
      chargeId: charge.id,
      mandateId: charge.mandateId,
      agentId,
    },
    finish: (answer) => finish(till, { key: buying.key, purchase, charge: charge.id, answer }),
  };
}

const alreadySettled = (receipt: string | undefined): Problem =>
  new Problem("already_settled", {
    detail: "It is paid, and the answer to it is not kept any more.",
    ...(receipt !== undefined && { extra: { receipt } }),
  });

function notToServe({ id, status, receipt, body }: Charge): Problem {
  if (status === "captured") return alreadySettled(receipt);
  const approveBy = body["approve_by"];
  // As the gateway says it: the agent's client keeps the payment and comes back with it.
  if (status === "pending_approval")
    return new Problem("approval_required", {
      status: 402,
      headers: { "Retry-After": "2" },
      detail: "Its principal has been asked. Send the same request with the same credential again.",
      extra: { charge_id: id, ...(typeof approveBy === "string" && { approve_by: approveBy }) },
    });
  return isUnpaid(status)
    ? new Problem("presentation_used", { status: 402, detail: "Nothing was paid; pay the new offer." })
    : new Problem("charge_in_progress", { headers: { "Retry-After": "2" } });
}

const isUnpaid = (status: string): boolean => ["released", "declined", "expired"].includes(status);

type Capturing = OfCharge & { readonly answer: Answer };
type Finishing = Capturing & { readonly key: string };

async function finish(till: Till, { key, purchase, charge, answer }: Finishing): Promise<Answer> {
  if (answer.status >= 400) {
    // A hold that could not be returned now is let go by the authorization server at its serve_by.
    await patiently(() => till.charges.release(charge, "upstream_failed")).catch(() => undefined);
    await till.answers.forget(charge);
    await till.answers.forget(key);
    return { ...answer, headers: withoutOurs(answer.headers) };
  }
  const served: KeptPurchase = { ...purchase, answer, state: "served" };
  await till.answers.keep(charge, served);
  try {
    return await capture(till, { purchase: served, charge, answer });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return problemBodyOf(error, till.origin);
  }
}

/** Past here the answer is the payer's, whatever becomes of the connection. */
async function capture(till: Till, { purchase, charge: id, answer }: Capturing): Promise<Answer> {
  let charge: Charge;
  try {
    charge = await captured(till, id, answer);
  } catch (error) {
    if (!isDecided(error)) throw undecided(error);
    // Revoked meanwhile, say: it is not paid, and nothing is delivered.
    await till.answers.forget(id);
    throw error;
  }
  if (isUnpaid(charge.status)) {
    await till.answers.forget(id);
    throw notToServe(charge);
  }
  if (charge.status !== "captured") throw undecided(undefined);
  const paid = withReceipt(till, charge, answer);
  const { receipt } = charge;
  await till.answers.keep(id, {
    ...purchase,
    answer: paid,
    state: "captured",
    ...(receipt !== undefined && { receipt }),
  });
  return paid;
}

/** The charge after its capture; where an answer says nothing of the charge itself, as it is read (M04, M09). */
async function captured(till: Till, id: Id<"charge">, { body }: Answer): Promise<Charge> {
  try {
    return await patiently(() => till.charges.capture(id, { responseDigest: sha256b64url(body) }));
  } catch (error) {
    if (isDecided(error)) throw error;
    return await read(till, id);
  }
}

/** Whatever keeps it from being read says nothing of the charge. */
const read = (till: Till, id: Id<"charge">): Promise<Charge> =>
  patiently(() => till.charges.chargeOf(id)).catch((error: unknown) => {
    throw undecided(error);
  });

// Refusals that speak of our own client or token, or of the moment: what became of the charge they do not say.
const notOfTheCharge: ReadonlySet<string> = new Set([
  "charge_idempotency_replay",
  "charge_in_progress",
  "charge_merchant_unknown",
  "charge_state_conflict",
  "client_not_allowed",
  "idempotency_conflict",
  "idempotency_in_flight",
  "insufficient_scope",
  "merchant_not_verified",
  "not_found",
  "rate_limited",
]);

const isDecided = (error: unknown): boolean =>
  error instanceof Problem &&
  error.status >= 400 &&
  error.status < 500 &&
  error.status !== 401 &&
  error.status !== 429 &&
  !notOfTheCharge.has(error.code);

const undecided = (cause: unknown): Problem =>
  new Problem("charge_in_progress", {
    status: 503,
    headers: { "Retry-After": "2" },
    detail: "Send the same request with the same credential again.",
    cause,
  });

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

/** What the paywall says itself, and what a handler must not say in its name. */
const ours =
  /^(?:payment-(?:required|response|receipt)|x-payment-response|remit-receipt|idempotent-replayed|cache-control)$/i;

export const withoutOurs = (headers: Answer["headers"]): HeaderPair[] =>
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
