import {
  createServer,
  type IncomingMessage,
  request as requestOverHttp,
  type Server,
  type ServerResponse,
} from "node:http";
import { request as requestOverTls } from "node:https";
import { type Clock, toNumericDate } from "@remit/kernel";
import { checkoutPage, confirmPage, expiredLink, onboardingPage } from "./checkout-page.ts";
import { type ControlDeps, control } from "./control.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import type { Send } from "./stripe/index.ts";
import { report } from "./upstream.ts";

export type ServerDeps = ControlDeps & {
  readonly inbox: Inbox;
  readonly wait: (ms: number) => Promise<void>;
  readonly clock: Clock;
  readonly sold: (calls: number) => Promise<void>;
};

const bodyBytesMax = 1_000_000;
const deliveryTimeoutMs = 10_000;

/** One port for everything that stands outside Remit. */
export function sandboxServer(of: Omit<ServerDeps, "inbox">): Server {
  const deps = { ...of, inbox: createInbox() };
  return createServer((request, response) => {
    answer(deps, request, response).catch((error: unknown) => {
      send(response, {
        status: 500,
        body: JSON.stringify({ error: { type: "api_error", message: String(error) } }),
      });
    });
  });
}

async function answer(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://sandbox");
  const body = await bodyOf(request);
  const method = request.method ?? "GET";
  if (url.pathname.startsWith("/v1/")) return stripe(deps, { request, response, url, body, method });
  if (url.pathname.startsWith("/vault/v1/")) return vault(deps, { request, response, url, body, method });
  if (url.pathname === "/kms/") return kms(deps, { request, response, url, body, method });
  if (url.pathname === "/kms/credentials") {
    const given = deps.kms.credentials(request.headers.authorization);
    return json(response, given.status, given.body);
  }
  if (url.pathname === "/sandbox/inbox") return inbox(deps, { request, response, url, body, method });
  if (url.pathname === "/demo/report") return sell(deps, response);
  if (/^\/(livez|readyz|health)$/.test(url.pathname)) return json(response, 200, { status: "ok" });
  if (await checkout(deps, { request, response, url, body, method })) return;
  if (await onboarding(deps, { request, response, url, body, method })) return;
  if (await confirming(deps, { request, response, url, body, method })) return;
  if (!url.pathname.startsWith("/sandbox/")) return json(response, 404, { error: "nothing here" });
  const { status, body: said } = await control(deps, {
    method,
    path: url.pathname,
    query: url.searchParams,
    body,
  });
  json(response, status, said);
}

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: string;
  readonly method: string;
};

async function stripe(deps: ServerDeps, { request, response, url, body, method }: Exchange): Promise<void> {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const outcome = await deps.account.handle({
    method,
    path: url.pathname,
    form: method === "POST" ? body : url.search.slice(1),
    authorization: request.headers.authorization,
    idempotencyKey: header("idempotency-key"),
    account: header("stripe-account"),
    version: header("stripe-version"),
  });
  if (outcome.kind === "drop") request.socket.destroy();
  if (outcome.kind === "answer") send(response, outcome);
}

/** Where somebody's webhooks arrive. */
function inbox(deps: ServerDeps, { request: { headers }, response, body, method }: Exchange): void {
  if (method !== "POST") return json(response, 200, { data: deps.inbox.all() });
  const header = (name: string): string => String(headers[name] ?? "");
  deps.inbox.take({
    "webhook-id": header("webhook-id"),
    "webhook-timestamp": header("webhook-timestamp"),
    "webhook-signature": header("webhook-signature"),
    body,
  });
  return json(response, 200, { received: true });
}

/** Checkout's page, for a browser: shows a session, and takes the click on its button. */
async function checkout(
  { account }: ServerDeps,
  { request, response, url, body, method }: Exchange,
): Promise<boolean> {
  const match = /^\/sandbox\/checkout\/(\w+)(\/pay)?$/.exec(url.pathname);
  const isForm = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
  const id = match?.[1];
  if (id === undefined || (method === "GET") === (match?.[2] === "/pay")) return false;
  if (method === "POST" && !isForm) return false;
  if (method === "POST") {
    const card = new URLSearchParams(body).get("payment_method") ?? "pm_card_visa";
    const { success_url: home } = await account.payCheckout(id, card);
    response.writeHead(303, { location: home.replaceAll("{CHECKOUT_SESSION_ID}", id) }).end();
    return true;
  }
  const page = checkoutPage(account, id);
  const headers = { "content-type": "text/html; charset=utf-8" };
  if (page === undefined) return false;
  send(response, { status: 200, body: page, headers });
  return true;
}

/** Connect's page, for a browser: a merchant gives its particulars, and goes back to where it came from. */
async function onboarding(
  { account, clock }: ServerDeps,
  { response, url, body, method }: Exchange,
): Promise<boolean> {
  const link = /^\/sandbox\/connect\/(\w+)$/.exec(url.pathname)?.[1];
  const page = link === undefined ? undefined : onboardingPage(account, link);
  if (link === undefined || page === undefined) return false;
  const refresh = expiredLink(account, link, toNumericDate(clock.now()));
  if (refresh !== undefined) response.writeHead(303, { location: refresh }).end();
  else if (method === "POST") {
    const standing = new URLSearchParams(body).get("standing") === "more_due" ? "more_due" : "complete";
    const { return_url: location } = (await account.onboard(link, standing)).link;
    response.writeHead(303, { location }).end();
  } else send(response, { status: 200, body: page, headers: { "content-type": "text/html; charset=utf-8" } });
  return true;
}

/** What Stripe's own form does in a holder's browser, for one who has the secret; then back to `return_to`. */
async function confirming(
  { account }: ServerDeps,
  { response, url, body, method }: Exchange,
): Promise<boolean> {
  const secret = /^\/sandbox\/confirm\/(\w+)$/.exec(url.pathname)?.[1];
  if (secret === undefined) return false;
  let failed = false;
  if (method === "POST") {
    const card = new URLSearchParams(body).get("payment_method") ?? "pm_card_visa";
    failed = !(await account.confirmAsHolder(secret, card));
    const back = URL.parse(url.searchParams.get("return_to") ?? "");
    if (!failed && back !== null && /^https?:$/.test(back.protocol)) {
      response.writeHead(303, { location: back.href }).end();
      return true;
    }
  }
  const page = confirmPage(account, secret, failed);
  if (page === undefined) return false;
  send(response, { status: 200, body: page, headers: { "content-type": "text/html; charset=utf-8" } });
  return true;
}

function vault(deps: ServerDeps, { request, response, url, body, method }: Exchange): void {
  const token = request.headers["x-vault-token"];
  const path = url.pathname.slice("/vault/v1/".length);
  const answer = deps.vault.handle({ method, path, token: Array.isArray(token) ? token[0] : token, body });
  json(response, answer.status, answer.body);
}

function kms(deps: ServerDeps, { request, response, url, body }: Exchange): void {
  const answer = deps.kms.handle({ path: url.pathname, headers: request.headers, body });
  // As KMS does where an operation has nothing to say.
  if (answer.body === undefined) response.writeHead(answer.status).end();
  else json(response, answer.status, answer.body);
}

async function sell(deps: ServerDeps, response: ServerResponse): Promise<void> {
  const { call, answer: how, delayMs } = deps.upstream.take();
  await deps.sold(call);
  if (how === "hang") return;
  if (how === "slow") await deps.wait(delayMs);
  if (how === "reset") response.socket?.destroy();
  else if (how === "500") json(response, 500, { error: "the report machine is broken" });
  else if (how === "404") json(response, 404, { error: "no report today" });
  else json(response, 200, report(call));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  // Without an encoding a request yields buffers.
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > bodyBytesMax) throw new RangeError("the body is too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

const json = (response: ServerResponse, status: number, body: unknown): void =>
  send(response, { status, body: JSON.stringify(body) });

function send(
  response: ServerResponse,
  of: { status: number; body: string; headers?: Readonly<Record<string, string>> },
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(of.status, { "content-type": "application/json", ...of.headers });
  response.end(of.body);
}

/** Posts a webhook; true when the receiver took it (2xx). */
export const sendWebhook: Send = (url, body, headers) =>
  new Promise((resolve) => {
    const over = url.startsWith("https:") ? requestOverTls : requestOverHttp;
    const request = over(url, {
      method: "POST",
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
    });
    request.setTimeout(deliveryTimeoutMs, () => request.destroy());
    request.on("response", (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) >= 200 && (response.statusCode ?? 500) < 300);
    });
    request.on("error", () => resolve(false));
    request.end(body);
  });
