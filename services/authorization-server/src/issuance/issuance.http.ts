import type { ServerResponse } from "node:http";
import type { Mount, PageCall } from "@remit/platform/http";
import type { Metrics } from "@remit/platform/telemetry";
import { Problem, toOAuthError } from "@remit/protocol";
import { hasPlainHead, peekBody } from "../clients/index.ts";
import type { Issuance, TokenAnswer } from "./issuance.ts";
import { readTokenRequest, type TokenRequest } from "./token-request.ts";

const path = "/oauth/token";

/** The AgentIdP API's names for the token endpoint. Proofs and assertions name the endpoint itself. */
const aliases = ["/api/v1/token", "/oauth2/token"];

type Deps = {
  /** Who answers plain requests, by grant type; undefined leaves everything to the core. */
  readonly issuance: Readonly<Record<TokenRequest["grantType"], Issuance>> | undefined;
  /** Answers whatever is not plain; gets the request as it came. */
  readonly core: (call: PageCall) => void | Promise<void>;
  readonly metrics: Metrics;
};

/** The token endpoint under all its names. */
export function tokenEndpoint({ issuance, core, metrics }: Deps): Mount {
  const counter = metrics.counter("token_requests_total", "Token requests by who answered them.", ["by"]);
  const counted: Counted = {
    issuance,
    core: (call) => {
      counter.inc({ by: "core" });
      return core(call);
    },
    answered: () => counter.inc({ by: "issuance" }),
  };
  return { paths: [path, ...aliases], handle: (call) => handle(counted, call) };
}

type Counted = Omit<Deps, "metrics"> & { readonly answered: () => void };

async function handle({ issuance, core, answered }: Counted, call: PageCall): Promise<void> {
  const { req, res } = call.raw;
  const [called = "", query] = (req.url ?? "").split("?", 2);
  if (aliases.includes(called)) req.url = query === undefined ? path : `${path}?${query}`;
  if (issuance === undefined || query !== undefined || !hasPlainHead(req)) return core(call);
  const body = await peekBody(req);
  if (body === undefined) return;
  const request = readTokenRequest(req, body);
  if (request === undefined) return core(call);
  try {
    const answer = await issuance[request.grantType].answer(request);
    if (answer === undefined) return core(call);
    answered();
    if (answer.status !== 200)
      call.log.info({ event: "grant.error", code: answer.body["error"], detail: "used before" }, "refused");
    send(res, answer);
  } catch (error) {
    if (!(error instanceof Problem) || (error.status !== 503 && error.status !== 429)) throw error;
    if (error.status === 429) call.log.info({ code: error.code }, "refused");
    else call.log.error({ err: error, private: error.private }, "no token can be issued");
    for (const [name, value] of Object.entries(error.headers ?? {})) res.setHeader(name, value);
    send(res, { status: error.status, body: laterBody(error), nonce: undefined });
  }
}

/** Why not now: a plan's end has its own code and remedy, for all else it is enough to come again. */
const laterBody = (problem: Problem): Readonly<Record<string, string>> =>
  problem.code === "plan_limit_reached"
    ? toOAuthError(problem)
    : { error: "temporarily_unavailable", error_description: "Try again later." };

// RFC 6749 §5.1: no-store. Pages may read the answer, as the core lets them: what counts is in the proof.
const usual = [
  ["Cache-Control", "no-store"],
  ["Vary", "Origin"],
  ["Access-Control-Allow-Origin", "*"],
  ["Access-Control-Expose-Headers", "DPoP-Nonce,WWW-Authenticate"],
  ["Content-Type", "application/json; charset=utf-8"],
] as const;

function send(res: ServerResponse, answer: Omit<TokenAnswer, "status"> & { readonly status: number }): void {
  const text = JSON.stringify(answer.body);
  for (const [name, value] of usual) res.setHeader(name, value);
  for (const [name, value] of Object.entries(answer.limits ?? {})) res.setHeader(name, value);
  if (answer.nonce !== undefined) res.setHeader("DPoP-Nonce", answer.nonce);
  const length = Buffer.byteLength(text);
  res.setHeader("Content-Length", length);
  res.statusCode = answer.status;
  // Tokens and ids are ASCII, which goes out byte by byte without being encoded.
  res.end(text, length === text.length ? "latin1" : "utf8");
}
