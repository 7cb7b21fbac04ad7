import type { Instant } from "@remit/kernel";
import type { Call, Caller, Method, TokenNeeds } from "./route.ts";

/** What of a request says who calls. Header values are those sent once; the edge has refused doubles. */
export type Credentials = {
  readonly method: string;
  /** Our origin + path, without query (RFC 9449 §4.3 htu). */
  readonly url: string;
  readonly authorization: string | undefined;
  readonly dpop: string | undefined;
  readonly now: Instant;
};

export type Authenticated = {
  readonly caller: Caller /** For the answer, such as a fresh DPoP-Nonce. */;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Finds out who calls and whether they may; otherwise throws a Problem with its WWW-Authenticate header. */
export type Authenticate = {
  (credentials: Credentials, needs: TokenNeeds): Promise<Authenticated>;
  /** Whose tokens are taken; the server then says so (RFC 9728). */
  readonly issuer?: string;
};

/** What is about to be done: a declared route, whose scope the caller has, and the parsed members of its path. */
export type Deed = {
  readonly method: Method;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
};

/** Has the last word on a protected route before its body is read; throws a Problem to refuse. */
export type Decide = (call: Call & { readonly caller: Caller }, deed: Deed) => Promise<void>;
