import { randomBytes } from "node:crypto";
import path from "node:path";
import { invariant } from "@remit/kernel";
import { provision, rolePasswords } from "@remit/platform/sql";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { principal } from "../services/authorization-server/test/running.ts";
import { freeBase } from "../test/ports.ts";
import { type Pinned, postgresCpuUs, startPinned } from "./pinned.ts";

const agents = 4;
const adminSecret = randomBytes(32).toString("base64url");
/** Whom the tokens of agents are for. */
export const shop = "https://shop.example";

export type Agent = { readonly id: string; readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };

/** A server that gives out tokens, and who its clients are. */
export type Issuer = {
  readonly server: Pinned;
  readonly issuer: string;
  readonly token: URL;
  readonly agents: readonly Agent[];
  readonly scope: string;
  /** Of the management client; its `resource` is the issuer for ours, any for the peer. */
  readonly secret: {
    readonly id: string;
    readonly secret: string;
    readonly form: Readonly<Record<string, string>>;
  };
  readonly databaseCpuUs: () => number;
};

/** Node's own HTTP server with the cryptography of a token and nothing else, for either kind of request. */
export async function startBare(servers: Pinned[]): Promise<Readonly<Record<"keyed" | "secret", Issuer>>> {
  const server = startPinned(path.join(import.meta.dirname, "token-bare.ts"));
  servers.push(server);
  const issuer = `http://localhost:${await server.ask<number>("start")}`;
  const of = (kind: string): Issuer => ({
    server,
    issuer,
    token: new URL(`/${kind}`, issuer),
    agents: [newAgent("agent")],
    scope: "pay",
    secret: { id: "secret", secret: adminSecret, form: { scope: "read", resource: shop } },
    databaseCpuUs: () => 0,
  });
  return { keyed: of("keyed"), secret: of("secret") };
}

/** Ours, with the way to its database. */
export type OurIssuer = Issuer & {
  readonly tenant: string;
  readonly schema: string;
  readonly relayRole: string;
  readonly databaseUrl: string;
  /** Of a role that no policy holds. */
  readonly adminUrl: string;
};

export async function startPeer(servers: Pinned[]): Promise<Issuer> {
  const server = startPinned(path.join(import.meta.dirname, "token-peer.ts"));
  servers.push(server);
  const made = Array.from({ length: agents }, (_, index) => newAgent(`agent-${index}`));
  const clients = made.map(({ id, assertion }) => ({ id, jwk: publicJwkOf(assertion) }));
  const { issuer, tokenPath } = await server.ask<{ issuer: string; tokenPath: string }>("start", {
    clients,
    secret: adminSecret,
  });
  const form = { scope: "read", resource: shop };
  const secret = { id: "secret", secret: adminSecret, form };
  const token = new URL(issuer + tokenPath);
  return { server, issuer, token, agents: made, scope: "pay", secret, databaseCpuUs: () => 0 };
}

export async function startOurs(
  servers: Pinned[],
  { directory, adminUrl }: { readonly directory: string; readonly adminUrl: string },
): Promise<OurIssuer> {
  const database = await provision({
    adminUrl,
    service: "authorization-server",
    passwords: rolePasswords(path.join(directory, "roles.json")),
    kekFingerprint: "bench",
  });
  const port = await freeBase();
  const issuer = `http://localhost:${port}`;
  const server = startPinned(path.join(import.meta.dirname, "token-server.ts"));
  servers.push(server);
  const origin = "http://localhost:1";
  const { schema, roles, url: databaseUrl, migrationUrl: migrationDatabaseUrl, ownerRole } = database;
  const config = {
    origin: issuer,
    issuer,
    host: "127.0.0.1",
    port,
    dataDir: directory,
    livemode: false,
    schema,
    roles: { ...roles, owner: ownerRole },
    databaseUrl,
    migrationDatabaseUrl,
    billing: origin,
    directory: origin,
    peers: {},
    outboundAllow: [],
  };
  const bootstrap = {
    tenant: { name: "Bench" },
    principal,
    admin: { clientSecret: adminSecret },
  };
  const { admin, tenant } = await server.ask<{ admin: { clientId: string }; tenant: string }>("start", {
    config,
    bootstrap,
  });
  const secret = { id: admin.clientId, secret: adminSecret, form: { scope: "agents:read agents:write" } };
  const token = new URL(`${issuer}/oauth/token`);
  const databaseCpuUs = (): number => postgresCpuUs(path.join(directory, "postgres"));
  const place = { tenant, schema, relayRole: roles.relay, databaseUrl, adminUrl: migrationDatabaseUrl };
  const started = {
    server,
    issuer,
    token,
    agents: [],
    scope: "oid4ac:payment",
    secret,
    databaseCpuUs,
    ...place,
  };
  const registered = await Promise.all(Array.from({ length: agents }, () => register(started)));
  return { ...started, agents: registered };
}

const newAgent = (id: string): Agent => ({ id, assertion: generateJwk("ES256"), dpop: generateJwk("ES256") });

/** As a developer does: a setup token from the operator, a registration with two keys. */
async function register(of: Issuer): Promise<Agent> {
  const { id: client_id, secret: client_secret, form } = of.secret;
  const token = await post(of.token, {
    body: new URLSearchParams({ grant_type: "client_credentials", client_id, client_secret, ...form }),
  });
  const setup = await post(new URL("/api/v1/setup-tokens", of.issuer), {
    body: JSON.stringify({ kind: "agent" }),
    headers: { authorization: `Bearer ${String(token["access_token"])}`, "content-type": "application/json" },
  });
  const { assertion, dpop } = newAgent("");
  const answer = await post(new URL("/oauth/register", of.issuer), {
    body: JSON.stringify({
      client_name: "Bench",
      token_endpoint_auth_method: "private_key_jwt",
      redirect_uris: ["http://127.0.0.1/callback"],
      dpop_jwk: publicJwkOf(dpop),
      private_key_jwt_jwk: publicJwkOf(assertion),
    }),
    headers: { authorization: `Bearer ${String(setup["setup_token"])}`, "content-type": "application/json" },
  });
  return { id: String(answer["client_id"]), assertion, dpop };
}

async function post(url: URL, init: RequestInit): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: "POST", ...init });
  const body = (await response.json()) as Record<string, unknown>; // ours, and an object whatever it says
  invariant(response.ok, `${url.pathname} answered ${response.status}: ${JSON.stringify(body)}`);
  return body;
}
