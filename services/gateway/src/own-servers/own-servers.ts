import type { Clock, Id } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { Problem, toProblemJson } from "@remit/protocol";
import type {
  AnsweredPurchase,
  AnswerPurchase,
  BeginPurchase,
  BegunPurchase,
} from "@remit/protocol/contracts";
import { ownRouteOf } from "../control/index.ts";
import { type Credential, doorOf, readCredential } from "../credentials/index.ts";
import { full, type Memory } from "../memory.ts";
import type { Merchant, OfferBook } from "../offers/index.ts";
import { paymentRequired, type TermsDeps, unpaid } from "../paywall/index.ts";
import { downwardFields, type Fields, valuesOf } from "../proxy/index.ts";
import { type Counter, idempotencyKeyOf, type PaidRequest, wantedOf } from "../purchases/index.ts";
import {
  askingOf,
  paidAnswer,
  unsettledHeaders,
  type WholeAnswer,
  wantsFreshTerms,
} from "../storefront/index.ts";

export type OwnServerDeps = {
  readonly book: OfferBook;
  readonly counter: Pick<Counter, "handOut" | "bring">;
  readonly terms: TermsDeps;
  readonly clock: Clock;
  readonly memory: Memory;
};

type From = { readonly caller: Caller; readonly requestId: string };
type Asked = { readonly requestId: string; readonly request: PaidRequest; readonly isHead: boolean };

/** What the buyer of a request is told, or the payment that its handler works for. Nothing is kept of a request that does not pay. */
export async function beginPurchase(
  deps: OwnServerDeps,
  from: From,
  given: BeginPurchase,
): Promise<BegunPurchase> {
  const asked = requestOf(deps, from, given);
  const begun: Begun = await toBuyer<Begun>(deps, asked, async (credential) => {
    const sold = await deps.counter.handOut(asked.request, credential);
    if (sold.kind !== "handed_out")
      return { answer: paidAnswer(sold, { issuer: deps.terms.issuer, credential }) };
    const { claim, tells } = sold;
    return { serve: { purchase: claim.id, rail: claim.rail, payer: claim.payer, tells: { ...tells } } };
  });
  return "serve" in begun ? begun : { answer: shown(begun.answer) };
}

type Begun =
  | { readonly answer: WholeAnswer }
  | { readonly serve: { purchase: Id<"claim">; rail: Rail; payer: string; tells: Record<string, string> } };
type Rail = NonNullable<BegunPurchase["serve"]>["rail"];

/** Ends a purchase with what its handler has made. The money moves before any of it may leave. */
export async function answerPurchase(
  deps: OwnServerDeps,
  from: From,
  { id, answer: made, ...given }: AnswerPurchase & { readonly id: Id<"claim"> },
): Promise<AnsweredPurchase> {
  const asked = requestOf(deps, from, given);
  const { merchant } = asked.request.route;
  const body = Buffer.from(made.body, "base64");
  const room = deps.memory.room();
  const give = room.hold();
  try {
    if (!room.add(body.length)) throw full();
    const answer = { status: made.status, fields: downwardFields(made.headers), body };
    const ended = await toBuyer(deps, asked, async (credential) => {
      const sold = await deps.counter.bring({ merchant, purchase: id, answer });
      return { answer: paidAnswer(sold, { issuer: deps.terms.issuer, credential }), isNew: !sold.replayed };
    });
    const { isNew = false } = "isNew" in ended ? ended : {};
    // What was brought need not be carried back.
    return { answer: isNew ? shown({ ...ended.answer, body: undefined }) : shown(ended.answer) };
  } finally {
    give();
  }
}

/** As the merchant's own server has read it. A merchant is known by its client, and speaks of its own addresses alone. */
function requestOf(
  { book }: OwnServerDeps,
  { caller, requestId }: From,
  { sale, request }: BeginPurchase,
): Asked {
  const merchant = merchantOf(book, caller);
  const { method, url, headers: fields, body_sha256: digest } = request;
  if (URL.parse(url)?.origin !== merchant.origin || !url.startsWith(`${merchant.origin}/`))
    throw new Problem("invalid_request", { detail: `request.url is no address at ${merchant.origin}.` });
  const idempotencyKey = idempotencyKeyOf(valuesOf(fields, "idempotency-key"));
  const isHead = method === "HEAD";
  return {
    requestId,
    isHead,
    request: {
      route: ownRouteOf(merchant, sale),
      method: isHead ? "GET" : method,
      url,
      target: url.slice(merchant.origin.length),
      fields,
      body: undefined,
      ...(digest !== undefined && { bodySha256: Buffer.from(digest, "base64url") }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    },
  };
}

function merchantOf(book: OfferBook, { client, tenant }: Caller): Merchant {
  for (const { merchant } of book.current().values())
    if (merchant.clientId === client && merchant.tenant === tenant) return merchant;
  throw new Problem("not_found", { detail: "No merchant here is charged for by this client." });
}

/** The answer of `work` for the credential that came, or the refusal in the words of its protocol. */
async function toBuyer<T>(
  deps: OwnServerDeps,
  { requestId, request, isHead }: Asked,
  work: (credential: Credential) => Promise<T>,
): Promise<T | { readonly answer: WholeAnswer }> {
  const { fields, route } = request;
  let credential: Credential | undefined;
  const terms = (problem: Problem): WholeAnswer => {
    const asking = { ...askingOf(fields), now: deps.clock.now(), requestId };
    const { status, headers, body } = paymentRequired(deps.terms, wantedOf(request), { problem, asking });
    return { status, fields: fieldsIn(headers), body: Buffer.from(body) };
  };
  try {
    // Nobody pays for a head alone.
    credential = isHead ? undefined : readCredential(fields);
    if (credential === undefined) return { answer: terms(unpaid) };
    return await work(credential);
  } catch (error) {
    // What is wrong with the call itself, the merchant hears; what is wrong with a payment, its buyer.
    if (!(error instanceof Problem) || error.status === 404 || error.code === "offer_refused") throw error;
    if (!wantsFreshTerms(error, doorOf(fields)))
      return { answer: refusalOf(error, { requestId, origin: route.merchant.origin }) };
    const refused = terms(error);
    const failed = credential === undefined ? {} : unsettledHeaders(error, credential);
    return { answer: { ...refused, fields: [...refused.fields, ...Object.entries(failed)] } };
  }
}

function refusalOf(
  problem: Problem,
  { requestId, origin }: { readonly requestId: string; readonly origin: string },
): WholeAnswer {
  const json = toProblemJson(problem, requestId, origin);
  return {
    status: problem.status,
    fields: [
      ...fieldsIn(problem.headers ?? {}),
      ["Content-Type", "application/problem+json"],
      ["Cache-Control", "no-store"],
    ],
    body: Buffer.from(JSON.stringify(json)),
  };
}

const fieldsIn = (headers: Readonly<Record<string, string | readonly string[]>>): Fields =>
  Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one): readonly [string, string] => [name, one]),
  );

type Shown = AnsweredPurchase["answer"];

const shown = ({
  status,
  fields,
  body,
}: Omit<WholeAnswer, "body"> & { readonly body: Uint8Array | undefined }): Shown => ({
  status,
  headers: fields.map(([name, value]): [string, string] => [name, value]),
  ...(body !== undefined && { body: Buffer.from(body).toString("base64") }),
});
