import { newId, secondMs } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import { isProblemCode, type Json, Problem, type ProblemCode, problems } from "@remit/protocol";
import { ApprovalList, type ProblemBody, parseProblem } from "@remit/protocol/contracts";
import type { z } from "zod";
import type { Issuer, PersonAnswer } from "../issuer/index.ts";
import type { PortalSession } from "../sessions/index.ts";
import type { ActingTokens } from "./acting.ts";
import { type Endpoint, endpoints, type Service } from "./endpoints.ts";
import { organizationEndpoints } from "./organization-endpoints.ts";
import type { AccessTokens } from "./tokens.ts";

/** What an API refused, for a person to read; `session_over` when nobody is signed in any more. */
export type Refusal = {
  readonly code: ProblemCode | "session_over";
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly requestId?: string;
  /** RFC 9470: how surely the person must sign in for this. */
  readonly stepUp?: { readonly acr: string; readonly maxAgeS: number };
};

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

type Table = Readonly<Record<string, Endpoint>>;
type BodyOf<E> = E extends { readonly body: infer B extends z.ZodType } ? z.input<B> : undefined;
type AnswerOf<E extends Endpoint> = z.output<E["answer"]>;
export type AnswerTo<N extends keyof typeof endpoints> = AnswerOf<(typeof endpoints)[N]>;
export type OrganizationAnswer<N extends keyof typeof organizationEndpoints> = AnswerOf<
  (typeof organizationEndpoints)[N]
>;

type Input<E extends Endpoint> = {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** The caller's own key for what must happen once: a form posted twice has it twice. */
  readonly key?: string;
  /** The version that a change is of. */
  readonly version?: number;
} & (BodyOf<E> extends undefined ? { readonly body?: undefined } : { readonly body: BodyOf<E> });

type Calls<T extends Table> = {
  readonly [N in keyof T]: (input?: Input<T[N]>) => Promise<Result<AnswerOf<T[N]>>>;
};

/** The APIs in a signed-in person's name: one function per endpoint, its answer parsed. */
export type Api = Calls<typeof endpoints>;

/** The APIs by whoever acts for an organization. */
export type OrganizationApi = Calls<typeof organizationEndpoints>;

export type ApiDeps = {
  readonly issuer: Issuer;
  readonly tokens: AccessTokens;
  readonly acting: ActingTokens;
  readonly origins: Readonly<Record<Service, string>>;
};

type AnyInput = {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly key?: string;
  readonly body?: unknown;
  readonly version?: number;
  readonly ifNoneMatch?: string;
  readonly timeoutMs?: number;
};

export const apiOf = (deps: ApiDeps, session: PortalSession, log: Log): Api =>
  callsOf(endpoints, deps, { log, tokenFor: personal(deps, session) });

/** The same for an organization that the person belongs to; nothing of any other is found. */
export const organizationApiOf = (
  deps: ApiDeps,
  { session, organization }: { readonly session: PortalSession; readonly organization: string },
  log: Log,
): OrganizationApi =>
  callsOf(organizationEndpoints, deps, {
    log,
    tokenFor: (origin, refused) => deps.acting.get(session, { organization, origin }, refused),
  });

/** Approvals that are otherwise than they were known: the list, with the tag by which the next are asked for. */
export type News =
  | { readonly kind: "same" | "over" | "trouble" }
  | { readonly kind: "changed"; readonly tag: string; readonly list: z.output<typeof ApprovalList> };

const waitS = 2;

/** Waits a little for the questions of agents to change; what waits at the issuer is answered as soon as one does. */
export async function approvalNews(
  deps: ApiDeps,
  session: PortalSession,
  known: string | undefined,
): Promise<News> {
  const query = { status: "pending", limit: "20", ...(known === undefined ? {} : { wait_s: String(waitS) }) };
  const input = { query, timeoutMs: 15 * secondMs, ...(known === undefined ? {} : { ifNoneMatch: known }) };
  try {
    const answer = await sent(deps, {
      tokenFor: personal(deps, session),
      endpoint: endpoints.approvals,
      input,
    });
    if (answer === undefined) return { kind: "over" };
    if (answer.status === 304) return { kind: "same" };
    const parsed = ApprovalList.safeParse(answer.body);
    const tag = answer.headers["etag"];
    return answer.status === 200 && parsed.success && tag !== undefined
      ? { kind: "changed", tag, list: parsed.data }
      : { kind: "trouble" };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { kind: "trouble" };
  }
}

const personal =
  (deps: ApiDeps, session: PortalSession): Caller["tokenFor"] =>
  (origin, refused) =>
    refused === undefined ? deps.tokens.get(session, origin) : deps.tokens.renew(session, origin, refused);

type Caller = {
  readonly log: Log;
  /** Another than the one that was refused; undefined when the session is over. */
  readonly tokenFor: (origin: string, refused?: string) => Promise<string | undefined>;
};

function callsOf<T extends Table>(table: T, deps: ApiDeps, caller: Caller): Calls<T> {
  const calls = Object.entries(table).map(([name, endpoint]) => [
    name,
    (input: AnyInput = {}) => call(deps, { ...caller, endpoint, input }),
  ]);
  // Each function is made from the endpoint of its name, whose schema parses what it gives.
  return Object.fromEntries(calls) as Calls<T>;
}

type Calling = Caller & {
  readonly endpoint: Endpoint;
  readonly input: AnyInput;
};

async function call(deps: ApiDeps, { log, endpoint, input, ...caller }: Calling): Promise<Result<unknown>> {
  try {
    const answer = await sent(deps, { ...caller, endpoint, input });
    if (answer === undefined) return { ok: false, refusal: sessionOver };
    if (answer.status >= 400) return { ok: false, refusal: refusalOf(answer) };
    const parsed = endpoint.answer.safeParse(endpoint.raw === true ? answer.bytes : answer.body);
    if (parsed.success) return { ok: true, value: parsed.data };
    log.error(
      { path: endpoint.path, issues: parsed.error.issues.slice(0, 3) },
      "an answer is not as declared",
    );
    return { ok: false, refusal: refusalFrom(new Problem("outbound_failed")) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    log.warn({ path: endpoint.path, code: error.code, ...error.private }, "a call failed");
    return { ok: false, refusal: refusalFrom(error) };
  }
}

/** Undefined when the session is over. A token that was refused is renewed once: a 401 has had no effect. */
async function sent(
  { issuer, origins }: ApiDeps,
  { tokenFor, endpoint, input }: Omit<Calling, "log">,
): Promise<PersonAnswer | undefined> {
  const origin = origins[endpoint.service];
  const url = origin + pathOf(endpoint.path, input);
  const send = (token: string): Promise<PersonAnswer> =>
    issuer.call({
      method: endpoint.method,
      url,
      token,
      ...(input.version === undefined ? {} : { ifMatch: `"${input.version}"` }),
      ...(input.ifNoneMatch === undefined ? {} : { ifNoneMatch: input.ifNoneMatch }),
      ...(input.timeoutMs === undefined ? {} : { timeoutMs: input.timeoutMs }),
      ...(endpoint.raw === true ? wholeDocument : {}),
      ...(endpoint.method === "GET"
        ? {}
        : {
            ...(endpoint.body === undefined ? {} : { body: input.body ?? {} }),
            idempotencyKey: input.key ?? newId("request"),
          }),
    });
  if (endpoint.open === true) return issuer.call({ method: "GET", url });
  const token = await tokenFor(origin);
  if (token === undefined) return undefined;
  const answer = await send(token);
  if (!isRefusedToken(answer)) return answer;
  const renewed = await tokenFor(origin, token);
  if (renewed === undefined) return undefined;
  const second = await send(renewed);
  return isRefusedToken(second) ? undefined : second;
}

/** A document may be long: everything that is kept of somebody. */
const wholeDocument = { bodyBytesMax: 64 * 1024 * 1024, timeoutMs: 60 * secondMs };

const isRefusedToken = ({ status, headers }: PersonAnswer): boolean =>
  status === 401 && (headers["www-authenticate"] ?? "").includes('error="invalid_token"');

function pathOf(path: string, { params = {}, query = {} }: AnyInput): string {
  const filled = path.replace(/:([a-z]+)/g, (_, name: string) => segmentOf(params[name] ?? ""));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, value);
  return asked.size === 0 ? filled : `${filled}?${asked.toString()}`;
}

/** Dots and nothing would lead to another address: no id is that. */
function segmentOf(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new Problem("not_found");
  return encodeURIComponent(id);
}

const sessionOver: Refusal = { code: "session_over", status: 401, title: "You are signed out" };

function refusalOf({ status, body }: PersonAnswer): Refusal {
  const problem = parseProblem(body);
  if (problem === undefined) return refusalFrom(new Problem("outbound_failed", { private: { status } }));
  const { code, title, detail, remedy, request_id: requestId } = problem;
  const stepUp = stepUpOf(problem, body);
  return {
    code: isProblemCode(code) ? code : "outbound_failed",
    status,
    title,
    ...(detail === undefined ? {} : { detail }),
    ...(remedy === undefined ? {} : { remedy }),
    requestId,
    ...(stepUp === undefined ? {} : { stepUp }),
  };
}

function stepUpOf({ code }: ProblemBody, body: Json | undefined): Refusal["stepUp"] {
  if (code !== "insufficient_user_authentication") return undefined;
  const { acr_values: acr, max_age: maxAgeS } = Object(body);
  return {
    acr: typeof acr === "string" ? (acr.split(" ")[0] ?? "") : "urn:remit:aal2",
    maxAgeS: typeof maxAgeS === "number" ? maxAgeS : 300,
  };
}

const refusalFrom = ({ code, status }: Problem): Refusal => ({ ...problems[code], code, status });

/**
 * What a room of ours refused, as an API's refusal is shown; undefined for what nobody expected.
 *
 * @public pages use it
 */
export const problemOf = (error: unknown): Refusal | undefined =>
  error instanceof Problem ? refusalFrom(error) : undefined;
