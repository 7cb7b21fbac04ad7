import type { IncomingMessage, ServerResponse } from "node:http";
import { type Id, parseId } from "@remit/kernel";
import { readBody } from "@remit/platform/http";
import { createMisuses } from "@remit/platform/misuse";
import type { TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { Problem, toOAuthError, toProblemJson } from "@remit/protocol";
import { createSecrets, type Secrets, type UsedCredential } from "../clients/index.ts";
import { type Artifacts, digestOf, grantOf } from "../grants/index.ts";
import { sidFor, sidOf } from "../sessions/index.ts";
import type { TokenEndpoints } from "../tokens/index.ts";
import { answerAboutToken } from "./about-tokens.ts";
import { addAgentIdToken } from "./agent-id-token.ts";
import { grantTypesWithoutBrowser } from "./client-metadata.ts";
import { type CoreDeps, configurationOf } from "./configuration.ts";
import { type CustomGrant, registerGrants } from "./custom-grants.ts";
import { keepUserCode } from "./device.ts";
import { guardForm, isStaleProof, takeQuota } from "./guards.ts";
import { recordIssued } from "./issued.ts";
import { createKeysAtUri } from "./keys-at-uri.ts";
import { askByGet, isIdToken, isLogoutForm } from "./logout.ts";
import { slowDown, tellInterval } from "./polling.ts";
import type { Repeats } from "./repeats.ts";
import { settleScope } from "./scopes.ts";
import {
  type ClientEntity,
  type Ctx,
  compareSecretsWith,
  nameCompanions,
  nameSessionsBy,
  onClient,
  Provider,
  refuseOtherHints,
  routeOf,
} from "./seam.ts";

/** oidc-provider, mounted: everything under its own paths goes through `handle`. */
export type Core = {
  readonly handle: (
    req: IncomingMessage,
    res: ServerResponse,
    /** The caller as the edge sees it; without it the socket's peer. */
    from?: { readonly ip: string },
  ) => Promise<void>;
  /** The provider of now. Ask anew for each request: a key rotation builds another one. */
  readonly provider: () => Provider;
};

type Deps = Omit<CoreDeps, "keysAtUri" | "misuses"> & {
  readonly log: Log;
  readonly repeats: Repeats;
  /** Grant types beside the core's own. */
  readonly grants: readonly CustomGrant[];
  readonly tokens: TokenEndpoints;
  /** Told which credential of an agent was used. */
  readonly used: UsedCredential;
  readonly artifacts: Pick<Artifacts, "poll">;
  readonly mandates: CoreDeps["mandates"] & {
    jwtOf(tx: TenantTx, id: Id<"mandate">): Promise<string | undefined>;
  };
};

/**
 * Builds the core, and again (0.5 ms) whenever a key has changed, since it cannot swap keys. Requests that have begun end
 * on the one they began with, by keys that verify as well; sessions and interactions are in the database, for all of them.
 */
export function createCore(given: Deps): Core {
  // Whose keys are whose outlives a provider; the stores of keys do not.
  const misuses = createMisuses(given.db, "authorization-server");
  const deps = { ...given, keysAtUri: createKeysAtUri(given), misuses };
  let built: { keys: number; provider: Provider; callback: ReturnType<Provider["callback"]> } | undefined;
  const current = (): NonNullable<typeof built> => {
    const keys = deps.keys.version();
    if (built?.keys !== keys) {
      const provider = build(deps);
      built = { keys, provider, callback: provider.callback() };
    }
    return built;
  };
  const handle: Core["handle"] = async (req, res, from) => {
    guardForm(req);
    if (isPostedAuthorization(req)) return turnIntoGet(req, res);
    pinOrigin(req, new URL(deps.issuer));
    // Where the caller is, as our edge sees it and not as the caller says.
    req.headers["x-forwarded-for"] = from?.ip ?? req.socket.remoteAddress ?? "";
    if (isLogoutForm(req)) return askByGet(req, res);
    current().callback(req, res);
  };
  return { handle, provider: () => current().provider };
}

/**
 * The core builds its URLs from the request's Host: in metadata, in redirects, and in the `htu` it expects of a proof.
 * Whoever chooses that header would choose them too, and could replay here a proof that was made for elsewhere.
 */
function pinOrigin(req: IncomingMessage, issuer: URL): void {
  req.headers.host = issuer.host;
  req.headers["x-forwarded-host"] = issuer.host;
  req.headers["x-forwarded-proto"] = issuer.protocol.slice(0, -1);
}

const authorizationPath = "/oauth/authorize";
const authorizationBytesMax = 16_384;

const isPostedAuthorization = ({ method, url = "" }: IncomingMessage): boolean =>
  method === "POST" && url.split("?", 1)[0] === authorizationPath;

/**
 * OpenID Core §3.1.2.1 wants authorization requests by POST too. A form from another site comes without our cookies
 * (SameSite=Lax, and so it stays); sent on to the same request by GET, it comes with them.
 */
async function turnIntoGet(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const form = new URLSearchParams(Buffer.from(await readBody(req, authorizationBytesMax)).toString("utf8"));
  res
    .writeHead(303, { location: `${authorizationPath}?${form.toString()}`, "cache-control": "no-store" })
    .end();
}

function build(deps: Deps & CoreDeps): Provider {
  const provider = new Provider(deps.issuer, configurationOf(deps));
  provider.proxy = true; // Only what `pinOrigin` wrote is trusted.
  registerGrants(provider, deps.grants, deps.clock);
  const secrets = createSecrets(deps.keyring.derive("client-secrets"));
  nameSessionsBy(provider, (uid, client) => sidFor(sidOf(uid), client));
  refuseOtherHints(provider, isIdToken);
  compareSecretsWith(provider, async (given, kept, client) => {
    const proven = isOneOf(deps, { secrets, given, kept, client });
    if (proven && Provider.ctx !== undefined) await takeQuota(deps, Provider.ctx, client);
    return proven;
  });
  nameCompanions(provider);
  onClient(provider, settleScope);
  onClient(provider, (_, client) => deps.keysAtUri.watch(client));
  provider.use(async (ctx, next) => {
    if (isStaleProof(ctx, deps.clock)) return answerStale(ctx);
    keepUserCode(ctx);
    await next();
    const route = routeOf(ctx);
    if (route === "device_authorization" || route === "backchannel_authentication") tellInterval(ctx);
    if (route === "token") {
      await slowDown(deps.artifacts, ctx);
      await addMandate(deps, ctx);
      await addAgentIdToken(deps, ctx);
      await recordIssued(deps, ctx);
      await deps.repeats.keep(ctx);
      deps.repeats.answer(ctx);
    }
    if (route === undefined && ctx.status === 404) answerUnknown(deps, ctx);
    if (route === "introspection" || route === "revocation") await answerAboutToken(deps.tokens, ctx, route);
  });
  const { log } = deps;
  provider.on("error", (error) => log.error({ err: error }, "the OAuth core failed"));
  provider.on("server_error", (ctx, error) => {
    const isLimit = error instanceof Problem && error.status === 429;
    if (isLimit) log.info({ code: error.code }, "refused");
    else log.error({ err: error }, "the OAuth core failed");
    if (error instanceof Problem && (isLimit || error.status === 503)) answerLater(ctx, error);
  });
  for (const event of ["grant.error", "authorization.error", "pushed_authorization_request.error"])
    provider.on(event, (_, error) => {
      if (error.message === "authorization_pending") return; // Somebody waits, as often as every 5 s.
      const said = { code: error.message, detail: error.error_description, private: error.error_detail };
      log.info({ event, ...said }, "refused");
    });
  return provider;
}

type Given = {
  readonly secrets: Secrets;
  readonly given: string;
  readonly kept: string;
  readonly client: ClientEntity;
};

/** A client's secret; an agent may have several, each with the name of its credential (client-metadata.ts). */
function isOneOf({ clock, used }: Deps, { secrets, given, kept, client }: Given): boolean {
  for (const one of kept.split(" ")) {
    const [digest = "", name] = one.split(".");
    if (!secrets.matches(given, Buffer.from(digest, "base64url"))) continue;
    const [credential, tenant] = [parseId("credential", name), parseId("tenant", client.remit_tenant)];
    if (credential !== undefined && tenant !== undefined) used(tenant, credential, clock.now());
    return true;
  }
  return false;
}

/** No address of the core's: the same problem as anywhere else, where it would say so in plain text. */
function answerUnknown({ issuer }: Deps, ctx: Ctx): void {
  const requestId = String(ctx.res.getHeader("x-request-id"));
  ctx.set("content-type", "application/problem+json");
  ctx.body = Buffer.from(JSON.stringify(toProblemJson(new Problem("not_found"), requestId, issuer)));
  ctx.status = 404;
}

/** RFC 9449 §5 and §7.1: at the token endpoint 400, at a resource (userinfo) 401 with its challenge. */
function answerStale(ctx: Ctx): void {
  const isResource = ctx.path === "/oauth/userinfo";
  ctx.status = isResource ? 401 : 400;
  if (isResource) ctx.set("WWW-Authenticate", 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
  ctx.set("Cache-Control", "no-store");
  ctx.body = {
    error: "invalid_dpop_proof",
    error_description: "iat of the DPoP proof is not within 60 s.",
  };
}

/** The database is away (D01) or a quota used up: the client may try again, which a plain server_error would not say. */
function answerLater(ctx: Ctx, problem: Problem): void {
  ctx.status = problem.status;
  for (const [name, value] of Object.entries(problem.headers ?? { "retry-after": "1" })) ctx.set(name, value);
  ctx.body =
    problem.code === "plan_limit_reached"
      ? toOAuthError(problem)
      : { error: "temporarily_unavailable", error_description: "Try again later." };
}

const givesMandate: ReadonlySet<string> = new Set(["authorization_code", ...grantTypesWithoutBrowser]);

/** A code's exchange also hands over the mandate that the principal gave (seeds 1.2); a refresh does not. */
async function addMandate({ db, mandates }: Deps, ctx: Ctx): Promise<void> {
  // A refused request may have no parameters at all.
  if (ctx.status !== 200 || !givesMandate.has(ctx.oidc.params["grant_type"] ?? "")) return;
  const grantId = ctx.oidc.entities.Grant?.jti;
  if (grantId === undefined) return;
  const grant = await db.global.transaction((tx) => grantOf(tx, digestOf(grantId)));
  const id = grant?.mandate;
  if (grant === undefined || id === undefined) return;
  const jwt = await db.of(grant.tenant).transaction((tx) => mandates.jwtOf(tx, id));
  ctx.body = { ...Object(ctx.body), mandate_jwt: jwt, mandate_id: id };
}
