import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type Clock, toRfc3339 } from "@remit/kernel";
import { type Mount, type PageCall, readBody } from "@remit/platform/http";
import { Problem, parseJson } from "@remit/protocol";
import type { Callers } from "../callers/index.ts";
import {
  catalogueOf,
  cataloguePath,
  type Document,
  merchantJwks,
  merchantJwksPath,
  merchantProof,
  merchantProofPath,
} from "../catalogue/index.ts";
import type { Traffic } from "../control/index.ts";
import { type Credential, doorOf, readCredential } from "../credentials/index.ts";
import type { Memory } from "../memory.ts";
import {
  type OfferBook,
  type Offers,
  routeAt,
  type SaleRoute,
  type Shop,
  shopAt,
  type Target,
  targetOf,
} from "../offers/index.ts";
import {
  type Door,
  type PaymentRequiredAnswer,
  paymentRequired,
  type TermsDeps,
  unpaid,
} from "../paywall/index.ts";
import type { Upstreams } from "../proxy/index.ts";
import { type Counter, type PaidRequest, wantedOf } from "../purchases/index.ts";
import { paidAnswer, unsettledHeaders, type WholeAnswer } from "./answers.ts";
import { askingOf } from "./asking.ts";
import { answersPreflight, openToScripts } from "./cross-origin.ts";
import { isSignIn, openTunnel, passOn, signIn } from "./open-routes.ts";
import { recogniseUnpaid } from "./recognised.ts";
import { readRequest } from "./requests.ts";
import { type StreamedAnswer, streamedAnswer } from "./streaming.ts";

export type StorefrontDeps = {
  readonly book: OfferBook;
  readonly counter: Counter;
  readonly upstreams: Upstreams;
  readonly callers: Callers;
  readonly terms: TermsDeps;
  readonly clock: Clock;
  readonly traffic: Pick<Traffic, "count">;
  readonly memory: Memory;
  /** What has doors of its own at some addresses. */
  readonly doors?: readonly OwnDoor[];
};

/** Answers an address of a shop by itself; undefined for one that is not its own. */
export type OwnDoor = (
  call: PageCall,
  at: { readonly shop: Shop; readonly target: Target },
) => Promise<void> | undefined;

/** Everything that merchants' origins answer: documents, 402s, and what was paid for. */
export const storefront = (deps: StorefrontDeps): Mount => ({
  recognises: true,
  handle: async (call) => {
    const { req, res } = call.raw;
    const target = targetOf(req.url ?? "");
    const offers = deps.book.current();
    const shop = shopAt(offers, req.headers.host);
    const document = documentAt(deps, shop, { method: req.method, path: target.path });
    if (document !== undefined) return sendDocument(res, document, req.method);
    if (isSignIn(shop, call, target)) return await exchange(deps, call, { shop, target });
    for (const door of deps.doors ?? []) {
      const answering = door(call, { shop, target });
      if (answering !== undefined) return await answering;
    }
    if (answersPreflight(req, res, { shop, target })) return;
    const route = routeOf(req, shop, target);
    deps.traffic.count(route, res);
    if (route.gate !== "paid") return await passOn(deps, call, { route, target });
    openToScripts(req, res);
    const room = deps.memory.room();
    // What is not read yet is still here.
    res.once("close", room.hold());
    const request = { ...(await readRequest(req, route, target)), room };
    const answer = await answerTo(deps, call, { request, offers });
    if ("deliver" in answer) await answer.deliver(call.raw);
    else if ("fields" in answer) sendWhole(res, answer);
    else sendRefusal(res, answer);
  },
  upgrade: async (call) => {
    const { req } = call.raw;
    const target = targetOf(req.url ?? "");
    const shop = shopAt(deps.book.current(), req.headers.host);
    await openTunnel(deps, call, { route: routeAt(shop, "GET", target.path), target });
  },
});

/** A wallet's signature for a session, so that it need not sign for a day. */
async function exchange(
  { callers }: StorefrontDeps,
  call: PageCall,
  { shop, target }: { readonly shop: Shop; readonly target: Target },
): Promise<void> {
  const bytes = await readBody(call.raw.req, signInBytesMax);
  const body = parseJson(bytes, { bytesMax: signInBytesMax });
  const { token, wallet, expiresAt } = await signIn(callers, call, { merchant: shop.merchant, target, body });
  const session = Buffer.from(JSON.stringify({ token, wallet, expires_at: toRfc3339(expiresAt) }));
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  sendDocument(call.raw.res, { headers, body: session }, call.method);
}

const signInBytesMax = 16 * 1024;

/** The route that is asked for. HEAD asks what GET would; a preflight (CORS) asks for what comes after it. */
function routeOf({ method = "GET", headers }: IncomingMessage, shop: Shop, { path }: Target): SaleRoute {
  if (method === "HEAD") return routeAt(shop, "GET", path);
  const announced = headers["access-control-request-method"];
  if (method !== "OPTIONS" || announced === undefined || headers.origin === undefined)
    return routeAt(shop, method, path);
  const route = routeAt(shop, announced, path);
  return route.gate === "paid" ? routeAt(shop, method, path) : route;
}

function documentAt(
  deps: StorefrontDeps,
  shop: Shop,
  { method, path }: { readonly method: string | undefined; readonly path: string },
): Document | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  if (path === merchantJwksPath) return merchantJwks(shop);
  if (path === merchantProofPath) return merchantProof(shop);
  if (path !== cataloguePath) return undefined;
  return catalogueOf(shop, { now: deps.clock.now(), livemode: deps.terms.livemode });
}

/** What was paid for, or the 402 that says how to pay. Whatever is wrong with a payment is a 402 with fresh terms. */
async function answerTo(
  deps: StorefrontDeps,
  call: PageCall,
  { request, offers }: { readonly request: PaidRequest; readonly offers: Offers },
): Promise<WholeAnswer | StreamedAnswer | PaymentRequiredAnswer> {
  let credential: Credential | undefined;
  try {
    // Nobody pays for a head alone.
    credential = call.method === "HEAD" ? undefined : readCredential(request.fields);
    if (credential === undefined) {
      // Nobody is told to pay for what cannot be had now.
      deps.upstreams.check(request.route.upstream, request.route.health?.path);
      if (call.recognise !== undefined)
        recogniseUnpaid(deps, call.recognise, {
          offers,
          wanted: wantedOf(request),
          asking: askingOf(request.fields),
        });
      return refuse(deps, call, { request, problem: unpaid });
    }
    const by = { issuer: deps.terms.issuer, credential };
    const sold = await deps.counter.sell(request, credential);
    return sold.kind === "stream" ? streamedAnswer(sold, by) : paidAnswer(sold, by);
  } catch (error) {
    if (!(error instanceof Problem) || !wantsFreshTerms(error, doorOf(request.fields))) throw error;
    call.log.info({ code: error.code, private: error.private }, "a payment is refused");
    const refusal = refuse(deps, call, { request, problem: error });
    if (credential === undefined) return refusal;
    return { ...refusal, headers: { ...refusal.headers, ...unsettledHeaders(error, credential) } };
  }
}

// What is no request at all gets no terms; in MPP only that is 400, and what cannot be read is one more failed payment.
const untold: ReadonlySet<string> = new Set([
  "credential_ambiguous",
  "payment_method_unsupported",
  "payment_identifier_required",
]);

/** 4xx of the credential or the mandate: the buyer may pay again. A conflict or an outage is told as it is. */
export const wantsFreshTerms = ({ code, status }: Problem, door: Door | undefined): boolean =>
  [400, 401, 402, 403].includes(status) &&
  !untold.has(code) &&
  (code !== "credential_malformed" || door === "mpp");

function refuse(
  deps: StorefrontDeps,
  call: PageCall,
  { request, problem }: { readonly request: PaidRequest; readonly problem: Problem },
): PaymentRequiredAnswer {
  const asking = { ...askingOf(request.fields), now: deps.clock.now(), requestId: call.requestId };
  return paymentRequired(deps.terms, wantedOf(request), { problem, asking });
}

function sendDocument(res: ServerResponse, { headers, body }: Document, method: string | undefined): void {
  res.writeHead(200, { ...headers, "Content-Length": body.length });
  res.end(method === "HEAD" ? undefined : body);
}

function sendRefusal(res: ServerResponse, { status, headers, body }: PaymentRequiredAnswer): void {
  // As bytes: a head that goes out with a text is written in the text's encoding, which takes longer.
  const bytes = Buffer.from(body);
  res.writeHead(status, { ...headers, "Content-Length": bytes.length } as OutgoingHttpHeaders);
  res.end(bytes);
}

/** A buyer that has gone gets nothing, and finds its answer under the same credential. */
function sendWhole(res: ServerResponse, { status, fields, body }: WholeAnswer): void {
  const hasNoBody = status === 204 || status === 304;
  const length: readonly (readonly [string, string])[] = hasNoBody
    ? []
    : [["Content-Length", String(body.length)]];
  res.writeHead(status, [...fields, ...length].flat());
  res.end(hasNoBody ? undefined : body);
}
