import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Id, Instant } from "@remit/kernel";
import type { AccessTokenClaims, Actor, Problem, ProblemCode, Scope } from "@remit/protocol";
import { z } from "zod";
import type { Criticality } from "../host/index.ts";
import type { Log } from "../telemetry/index.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Who may call: anyone, or the bearer of a token with (one of) the scopes. `bearer: true` also lets unbound tokens in. */
export type Needs = "public" | TokenNeeds;
export type TokenNeeds = {
  readonly scope: Scope | readonly [Scope, ...Scope[]];
  readonly bearer?: true;
  /** RFC 9470: how strongly and how recently the person must have signed in. */
  readonly stepUp?: { readonly acrValues: readonly string[]; readonly maxAgeS?: number };
};

/** Who is calling, as an access token says. */
export type Caller = {
  readonly tenant: Id<"tenant">;
  /** `client_id`: an agent's `agt_…`, a client's `cli_…`, or the name of a service. */
  readonly client: string;
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  readonly actor: { readonly type: "agent" | "client" | "account" | "service"; readonly id: string };
  /** RFC 7638 thumbprint of the key the token is bound to; absent for a plain bearer token. */
  readonly thumbprint?: string;
  readonly claims: AccessTokenClaims;
};

/** Whom the log names for what a management call does: the person who acts by a tool of theirs, else the client. */
export const actorOf = ({ actor, client }: Caller): Actor =>
  actor.type === "account" ? { type: "account", id: actor.id } : { type: "client", id: client };

/** One request, parsed and authorised. */
export type Call = {
  /** `req_…`, also in the `X-Request-Id` of the answer. Never taken from the caller. */
  readonly requestId: Id<"request">;
  readonly now: Instant;
  /** Address of the peer's socket; forwarded headers are not trusted. */
  readonly ip: string;
  /** Method as sent and URL as the caller must have meant it: our origin + path + query. */
  readonly method: string;
  readonly url: string;
  readonly log: Log;
  readonly caller?: Caller;
  readonly idempotencyKey?: string;
  /** base64url(SHA-256(JCS(body))), or of the raw bytes; absent without a body. */
  readonly bodyDigest?: string;
  /** A request header by its lower-case name; undefined when absent. A header sent twice refuses the request. */
  header(name: string): string | undefined;
  /** Waits for news without counting as work under way meanwhile. False: whoever asked has gone. */
  waits(news: Promise<unknown>): Promise<boolean>;
};

/** A call whose declaration promises a caller, a key, or both. */
export type CallOf<N extends Needs, K> = Call &
  (N extends "public" ? unknown : { readonly caller: Caller }) &
  (K extends "required" ? { readonly idempotencyKey: string; readonly bodyDigest: string } : unknown);

/** Status → schema of the JSON body, or the problem codes that may be answered with it. */
export type Answers = { readonly [S in Status]?: z.ZodType | ProblemCode | readonly ProblemCode[] };

/** The statuses that Remit answers with. Written out, so that a handler's `status: 201` stays the literal 201. */
export type Status =
  | 200
  | 201
  | 202
  | 204
  | 302
  | 303
  | 304
  | 400
  | 401
  | 402
  | 403
  | 404
  | 405
  | 406
  | 409
  | 410
  | 413
  | 415
  | 422
  | 429
  | 500
  | 502
  | 503
  | 504;

export type Answered<S extends number, B> = {
  readonly status: S;
  readonly headers?: Readonly<Record<string, string>>;
} & (undefined extends B ? { readonly body?: B } : { readonly body: B });

/** What a handler returns: one of the declared statuses with the body declared for it. */
export type AnswerOf<A extends Answers> = { readonly status: Status } & {
  [S in keyof A & number]: AnsweredWith<S, A[S]>;
}[keyof A & number];
type AnsweredWith<S extends number, T> = T extends z.ZodType ? Answered<S, z.input<T>> : never;

/** The schema of an answer without a body (204, 202). */
export const nothing = z.undefined();

/** At most `count` requests per window; counted per client of the token, or per address for public routes. */
export type Limit = {
  readonly count: number;
  readonly windowMs: number;
  readonly by?: "client" | "tenant" | "ip";
};

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;
/** Input whose types are forgotten. */
export type AnyInput = { readonly params: unknown; readonly query: unknown; readonly body: unknown };
type ParsedBody<S> = S extends "raw" ? Uint8Array : Parsed<S>;

export type Input<P, Q, B> = {
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly body: ParsedBody<B>;
};

export type RouteSpec<N extends Needs, P, Q, B, A extends Answers, K> = {
  readonly method: Method;
  /** `/api/v1/charges/:id`; members in `params`. */
  readonly path: string;
  /** One line for the API reference. */
  readonly summary: string;
  readonly needs: N;
  readonly params?: P;
  readonly query?: Q;
  /** A zod object (unknown members are refused), or `"raw"`: the bytes, of any content type. */
  readonly body?: B;
  readonly answers: A;
  /** The media types of what it answers when all is well, where that is not `application/json`. */
  readonly types?: readonly [string, ...string[]];
  readonly idempotency?: K;
  readonly limit?: Limit;
  readonly bodyBytesMax?: number;
  /** `critical`: it ends, gives back or finishes what was begun, and is refused last when there is no room. */
  readonly criticality?: Criticality;
  handle(call: CallOf<N, K>, input: Input<P, Q, B>): Promise<AnswerOf<A>> | AnswerOf<A>;
};

export type Answer = {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

type Schema = z.ZodType | undefined;

/** A declared route, its types forgotten: validation, permission, limits and OpenAPI all follow from it. */
export type Route = {
  readonly kind: "route";
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly needs: Needs;
  readonly params: Schema;
  readonly query: Schema;
  readonly body: Schema | "raw";
  readonly answers: Answers;
  readonly types: readonly string[];
  readonly idempotency: "required" | undefined;
  readonly limit: Limit | undefined;
  readonly bodyBytesMax: number | undefined;
  readonly criticality: Criticality;
  readonly handle: (call: Call, input: AnyInput) => Promise<Answer>;
};

/** Declares a JSON route once (style, habit 14). Give the result to `http.add`. */
export function route<
  const N extends Needs,
  const A extends Answers,
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | "raw" | undefined = undefined,
  const K extends "required" | undefined = undefined,
>(spec: RouteSpec<N, P, Q, B, A, K>): Route {
  return {
    kind: "route",
    method: spec.method,
    path: spec.path,
    summary: spec.summary,
    needs: spec.needs,
    params: spec.params,
    query: spec.query,
    body: spec.body,
    answers: spec.answers,
    types: spec.types ?? ["application/json"],
    idempotency: spec.idempotency,
    limit: spec.limit,
    bodyBytesMax: spec.bodyBytesMax,
    criticality: spec.criticality ?? "sheddable",
    // The edge has checked what the declared types promise (caller, key, parsed input) before it calls.
    handle: async (call, input) => spec.handle(call as CallOf<N, K>, input as Input<P, Q, B>),
  };
}

/** The raw pair, for pages that hand it on (oidc-provider's interactions need both). */
export type RawPair = { readonly req: IncomingMessage; readonly res: ServerResponse };

export type PageCall = Call & {
  readonly cookies: string | undefined;
  readonly raw: RawPair;
  /** Has whoever sends the very same bytes answered without their being read again; absent for what is not known so. */
  readonly recognise?: (how: Recognition) => void;
};

/** How a request is answered that is known by its bytes, in a mount that recognises. */
export type Recognition = {
  /** With another object here, all that was known before is forgotten. */
  readonly asLongAs: object;
  /** What is answered now; undefined when the request must be looked at after all. */
  readonly answer: (call: Pick<Call, "requestId" | "now">) => RecognisedAnswer | undefined;
};

export type RecognisedAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
};

/** HTML, or a redirect. `setCookies` are whole Set-Cookie values; headers override the strict defaults (CSP …). */
export type PageAnswer = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly setCookies?: readonly string[];
} & (
  | { readonly status: number; readonly html: string }
  | { readonly status: 302 | 303; readonly location: string }
);

export type PageSpec<P, Q, F> = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly params?: P;
  readonly query?: Q;
  /** Schema of the form (application/x-www-form-urlencoded; a field sent twice is refused). */
  readonly form?: F;
  readonly limit?: Limit;
  readonly criticality?: Criticality;
  /** What a person sees of a refusal, also of the form; without it a Problem is rendered as everywhere. */
  readonly refused?: (problem: Problem) => PageAnswer;
  handle(
    call: PageCall,
    input: { params: Parsed<P>; query: Parsed<Q>; form: Parsed<F> },
  ): Promise<PageAnswer> | PageAnswer;
};

export type Page = {
  readonly kind: "page";
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly params: Schema;
  readonly query: Schema;
  readonly form: Schema;
  readonly limit: Limit | undefined;
  readonly criticality: Criticality;
  readonly refused: ((problem: Problem) => PageAnswer) | undefined;
  readonly handle: (
    call: PageCall,
    input: { params: unknown; query: unknown; form: unknown },
  ) => Promise<PageAnswer>;
};

/** Declares a page for people: HTML answers, form bodies, cookies as text. Not in OpenAPI. */
export function page<
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  F extends z.ZodType | undefined = undefined,
>(spec: PageSpec<P, Q, F>): Page {
  return {
    kind: "page",
    method: spec.method,
    path: spec.path,
    params: spec.params,
    query: spec.query,
    form: spec.form,
    limit: spec.limit,
    criticality: spec.criticality ?? "sheddable",
    refused: spec.refused,
    // The edge has parsed the three with the schemas given here.
    handle: async (call, input) =>
      spec.handle(call, input as { params: Parsed<P>; query: Parsed<Q>; form: Parsed<F> }),
  };
}

/** A request nobody parsed: the body is still in `raw.req`. A Problem thrown before the answer began is rendered. */
export type RawHandler = (call: PageCall) => Promise<void> | void;

/** A request to make its connection a WebSocket. `head` is what came after it already. */
export type UpgradeCall = Call & {
  readonly raw: { readonly req: IncomingMessage; readonly socket: Duplex; readonly head: Buffer };
};

/**
 * A foreign handler (oidc-provider) or a proxy under fixed paths. `paths` match exactly, `prefixes` match themselves and
 * all below; without either it gets everything that no route claims.
 */
export type Mount = {
  /** What it serves, for the API document. */
  readonly describes?: readonly Described[];
  readonly paths?: readonly string[];
  readonly prefixes?: readonly string[];
  readonly limit?: Limit;
  /** Of all its requests, or of each by its head. */
  readonly criticality?: Criticality | ((request: Pick<IncomingMessage, "method" | "url">) => Criticality);
  /** Some of its answers are the same for the same bytes, so that requests are looked at before they are read. */
  readonly recognises?: boolean;
  readonly handle: RawHandler;
  /** Takes WebSockets, at whatever path; of one mount alone. A Problem thrown before anything was written is rendered. */
  readonly upgrade?: (call: UpgradeCall) => Promise<void>;
};

export const criticalityIn = (
  { criticality = "sheddable" }: Mount,
  request: Pick<IncomingMessage, "method" | "url">,
): Criticality => (typeof criticality === "string" ? criticality : criticality(request));

/** An address that a foreign handler serves, as the API document shows it; tests hold it against what is served. */
export type Described = {
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  /** How a caller proves itself: any one of these; none: it need not. */
  readonly security: readonly ("dpop" | "bearer" | "client")[];
  readonly query?: z.ZodType;
  readonly form?: z.ZodType;
  readonly answers: Readonly<Partial<Record<Status, DescribedAnswer>>>;
};

export type DescribedAnswer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** `application/json` unless said. */
  readonly type?: string;
};
