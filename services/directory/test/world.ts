import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, type Id, minuteMs, newId, toNumericDate } from "@remit/kernel";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { createPeer, type Peer, type PeerAnswer } from "@remit/platform/peers";
import { createLog } from "@remit/platform/telemetry";
import type { Scope } from "@remit/protocol";
import { generateJwk, randomText, signJws } from "@remit/protocol/node";
import { type TestClock, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { createDirectory, migrations } from "../src/index.ts";

/** What a host answers, by path. */
export type Host = { readonly origin: string; readonly pages: Map<string, Page>; close(): Promise<void> };
export type Page = {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: string | Uint8Array;
};

export async function startHost(): Promise<Host> {
  const pages = new Map<string, Page>();
  const server: Server = createServer((req, res) => {
    const page = pages.get(req.url ?? "") ?? { status: 404, body: "" };
    res.setHeader("content-type", "application/json");
    res.writeHead(page.status, page.headers);
    res.end(page.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this shape.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    pages,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type Tenant = {
  readonly id: Id<"tenant">;
  /** The client that calls. */
  readonly client: string;
  call(method: "GET" | "POST" | "PUT", path: string, body?: unknown): Promise<PeerAnswer>;
};

/** How a person signed in, for a token that is theirs. */
export type SignedIn = { readonly acr: string; readonly auth_time: number };

/** Where the issuer says whether a token still counts. */
export const introspection = "/oauth/introspect";

export type World = {
  readonly issuer: Host;
  readonly clock: TestClock;
  readonly database: TestDatabase;
  /** A caller of a tenant: of its own, or another client of the one given. */
  tenant(scope?: Scope, id?: Id<"tenant">, client?: string): Tenant;
  /** A person of a tenant, who has signed in so. */
  person(id: Id<"tenant">, signedIn: SignedIn): Tenant;
  get(path: string): Promise<{ status: number; body: unknown }>;
  /** Where it listens. */
  readonly address: string;
  close(): Promise<void>;
};

/** A directory with its database, an issuer that only serves keys, and callers with tokens of it. */
export async function startWorld(hosts: readonly Host[]): Promise<World> {
  const issuer = await startHost();
  const issuerKey = generateJwk("ES256");
  const { d: _, ...publicKey } = issuerKey;
  issuer.pages.set("/.well-known/jwks.json", { status: 200, body: JSON.stringify({ keys: [publicKey] }) });
  const own = { access_token: "of-the-directory", token_type: "DPoP", expires_in: 300 };
  issuer.pages.set("/oauth/token", { status: 200, body: JSON.stringify(own) });
  issuer.pages.set(introspection, { status: 200, body: JSON.stringify({ active: true }) });
  const database = await testDatabase({ service: "directory", sources: migrations });
  const clock = testClock();
  const origin = "http://directory.test";
  const hostOf = ({ origin: at }: { readonly origin: string }): string => new URL(at).host;
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-directory-"));
  const directory = createDirectory({
    config: {
      origin,
      issuer: issuer.origin,
      host: "127.0.0.1",
      port: 0,
      databaseUrl: database.url,
      schema: database.schema,
      roles: database.roles,
      dataDir,
      outboundAllow: [hostOf(issuer)],
      tenantOutboundAllow: hosts.map(hostOf),
      livemode: false,
      databaseWaitMs: 15_000,
    },
    clock,
    log: createLog({ service: "directory", level: "silent" }),
  });
  const address = await directory.listen();
  const real = createOutbound({ allow: [new URL(address).host], clock });
  // Callers know the directory by its origin; here it listens on a free port.
  const outbound: Outbound = {
    ...real,
    request: (request) => real.request({ ...request, url: request.url.replace(origin, address) }),
  };
  const callerOf = (of: { scope: Scope; id: Id<"tenant">; client: string; person?: object }): Tenant => {
    const { scope, id, client, person = {} } = of;
    const about = { id, clientId: client, issuer: issuer.origin, issuerKey, outbound, clock, person };
    const peer = tenantPeer(about);
    return {
      id,
      client,
      call: (method, target, body) =>
        peer.call({ origin, method, path: target, scope, ...(body === undefined ? {} : { body }) }),
    };
  };
  return {
    issuer,
    clock,
    database,
    address,
    tenant: (scope = "directory:write", id = newId("tenant"), client = newId("client")) =>
      callerOf({ scope, id, client }),
    person: (id, signedIn) =>
      callerOf({
        scope: "offers:write",
        id,
        client: newId("client"),
        person: { ...signedIn, sub: newId("account") },
      }),
    get: async (target) => {
      const { status, body } = await real.request({ url: address + target });
      return { status, body: JSON.parse(Buffer.from(body).toString()) };
    },
    close: async () => {
      await directory.close();
      await real.close();
      await issuer.close();
      await database.drop();
      await rm(dataDir, { recursive: true });
    },
  };
}

function tenantPeer(about: {
  id: Id<"tenant">;
  clientId: string;
  issuer: string;
  issuerKey: ReturnType<typeof generateJwk>;
  outbound: Outbound;
  clock: TestClock;
  person: object;
}): Peer {
  const { id, clientId, issuer, issuerKey, outbound, clock, person } = about;
  return createPeer({
    issuer,
    clientId,
    assertionKey: generateJwk("ES256"),
    dpopKey: generateJwk("ES256"),
    outbound,
    clock,
    mint: async ({ audience, scope, thumbprint }) => {
      const now = clock.now();
      const claims = {
        iss: issuer,
        sub: clientId,
        aud: audience,
        client_id: clientId,
        jti: randomText(),
        iat: toNumericDate(now),
        exp: toNumericDate(after(now, 5 * minuteMs)),
        scope,
        organization_id: id,
        livemode: false,
        cnf: { jkt: thumbprint },
        ...person,
      };
      return { token: signJws(issuerKey, { typ: "at+jwt" }, claims), expiresAt: after(now, 5 * minuteMs) };
    },
  });
}
