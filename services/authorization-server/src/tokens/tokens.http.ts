import { type Authenticate, type Mount, type PageCall, type RawPair, readForm } from "@remit/platform/http";
import { Problem, type Scope, scopes, toOAuthError } from "@remit/protocol";
import type { Quotas } from "../quotas/index.ts";
import type { AskingClient } from "./askers.ts";
import type { TokenEndpoints } from "./endpoints.ts";
import type { TokenAnswer } from "./introspection-answer.ts";
import type { PlainIntrospection } from "./plain-introspection.ts";

type Deps = {
  readonly endpoints: TokenEndpoints;
  readonly authenticate: Authenticate;
  readonly quotas: Pick<Quotas, "take">;
  /** Our origin: what a proof names. */
  readonly origin: string;
  /** The client of a token that has proven itself; undefined when it is gone. */
  readonly clientOf: (id: string) => Promise<Omit<AskingClient, "scopes"> | undefined>;
  /** Answers plain requests in front of the core. */
  readonly plain: PlainIntrospection;
  readonly counted: (by: "front" | "core") => void;
  /** Authenticates a client by assertion or secret, and answers with the same endpoints. */
  readonly core: (call: PageCall) => void | Promise<void>;
};

const paths = {
  introspection: ["/oauth/introspect", "/api/v1/token/introspect"],
  revocation: ["/oauth/revoke", "/api/v1/token/revoke"],
} as const;

const formBytesMax = 56 * 1024;

/** Who the token speaks for is what counts here, so any scope will do; plain bearer tokens only within their bounds. */
const needs = { scope: scopes as readonly [Scope, ...Scope[]], bearer: true } as const; // there is a first scope

/**
 * Introspection and revocation, under the names of OAuth and of the AgentIdP API alike. A caller proves itself by an
 * access token of its own here, by assertion or secret in the core; one and the same code answers both.
 */
export const tokenMounts = (deps: Deps): Mount[] => [
  {
    paths: paths.introspection,
    handle: serve(
      { ...deps, core: inFrontOfCore(deps, paths.introspection[0]) },
      paths.introspection[0],
      ({ token, asker }, call) => deps.endpoints.introspect(token, asker, call.header("accept") ?? ""),
    ),
  },
  {
    paths: paths.revocation,
    criticality: "critical",
    handle: serve(deps, paths.revocation[0], ({ token, asker }) => deps.endpoints.revoke(token, asker)),
  },
];

/** The core for what is not plain: the path is already the one that it knows. */
const inFrontOfCore =
  ({ plain, core, counted }: Deps, path: string) =>
  async (call: PageCall): Promise<void> => {
    const said = call.raw.req.url === path ? await plain(call) : "core";
    counted(said === "core" ? "core" : "front");
    if (said === "core") return core(call);
    if (said !== "gone") send(call.raw.res, said);
  };

type Asked = { readonly token: string; readonly asker: ReturnType<TokenEndpoints["asker"]> };

const serve =
  (deps: Deps, path: string, answer: (asked: Asked, call: PageCall) => Promise<TokenAnswer>) =>
  async (call: PageCall): Promise<void> => {
    const { req, res } = call.raw;
    if (req.method !== "POST" || !/^(?:dpop|bearer) /i.test(call.header("authorization") ?? "")) {
      req.url = path;
      return deps.core(call);
    }
    try {
      const { asker, headers } = await askerOf(deps, call);
      const { token } = await readForm(req, formBytesMax);
      if (token === undefined || token === "")
        throw new Problem("invalid_request", { detail: "The parameter token is missing." });
      send(res, await answer({ token, asker }, call), headers);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      call.log.info({ code: error.code, detail: error.detail, private: error.private }, "refused");
      const body = JSON.stringify(toOAuthError(error));
      send(
        res,
        { status: error.status, headers: { "content-type": "application/json" }, body },
        error.headers,
      );
    }
  };

async function askerOf(
  { authenticate, clientOf, endpoints, origin, quotas }: Deps,
  call: PageCall,
): Promise<{ asker: Asked["asker"]; headers: Readonly<Record<string, string>> | undefined }> {
  const [path = ""] = (call.raw.req.url ?? "").split("?", 1);
  const credentials = {
    method: call.method,
    url: origin + path,
    authorization: call.header("authorization"),
    dpop: call.header("dpop"),
    now: call.now,
  };
  const { caller, headers } = await authenticate(credentials, needs);
  const client = await clientOf(caller.client);
  if (client === undefined) throw new Problem("invalid_token", { detail: "The token's client is gone." });
  // The wallet is everybody's: a person who acts by it asks for the organization they act for, and owns none of its tokens.
  const person = caller.actor.type === "account" ? { id: caller.subject, tenant: caller.tenant } : {};
  const asker = endpoints.asker({ ...client, ...person, scopes: [...caller.scopes] });
  const left = asker.isPeer ? {} : await quotas.take("introspections", client);
  return { asker, headers: { ...headers, ...left } };
}

function send(
  res: RawPair["res"],
  { status, headers, body }: TokenAnswer,
  more: Readonly<Record<string, string>> = {},
): void {
  for (const [name, value] of Object.entries({ "cache-control": "no-store", ...headers, ...more }))
    res.setHeader(name, value);
  res.statusCode = status;
  res.end(body);
}
