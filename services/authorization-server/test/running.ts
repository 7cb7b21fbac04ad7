import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  type AuthorizationServerConfig,
  type AuthorizationServerOptions,
  createAuthorizationServer,
  migrations,
  type Service,
} from "@remit/authorization-server";
import { createLog } from "@remit/platform/telemetry";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { freePort, type TestDatabase, testDatabase } from "@remit/testkit";

export { freePort };

export type ClientKeys = { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };

export const newKeys = (): ClientKeys => ({ assertion: generateJwk("ES256"), dpop: generateJwk("ES256") });

export const principal = { email: "ada@example.com", name: "Ada", password: "correct horse battery staple" };
export const adminSecret = "an-admin-secret-of-many-random-bits-0123456789";
export const walletRedirect = "http://127.0.0.1/callback";

/** A whole authorization server on its own database, with one tenant, its principal, a management client and a wallet. */
export type Running = {
  readonly issuer: string;
  readonly service: Service;
  /** For a second process of the same installation. */
  readonly dataDir: string;
  readonly database: TestDatabase;
  readonly tenant: string;
  readonly account: string;
  readonly adminId: string;
  readonly wallet: ClientKeys;
  readonly billing: string;
  readonly directory: string;
  close(): Promise<void>;
};

const billing = "http://localhost:3003";
const directory = "http://localhost:3002";

/** A server on this database, listening; the caller closes it. */
export async function startWith(
  database: TestDatabase,
  more: Partial<AuthorizationServerConfig> = {},
  options: Pick<AuthorizationServerOptions, "issuance" | "checkClock" | "clock" | "pressure"> = {},
): Promise<{ issuer: string; service: Service; dataDir: string; close: () => Promise<void> }> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-as-"));
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const { url, schema, roles } = database;
  const service = createAuthorizationServer({
    config: {
      origin: issuer,
      issuer,
      host: "127.0.0.1",
      port,
      dataDir,
      schema,
      roles,
      billing,
      directory,
      databaseUrl: url,
      outboundAllow: [],
      livemode: false,
      peers: { billing, directory },
      // Many at once on a busy machine is no outage.
      databaseWaitMs: 15_000,
      ...more,
    },
    ...options,
    log: createLog({
      service: "authorization-server",
      level: process.env["TEST_LOG"] === "1" ? "debug" : "silent",
    }),
  });
  const close = async (): Promise<void> => {
    await service.close();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await service.listen();
    return { issuer, service, dataDir: more.dataDir ?? dataDir, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function startServer(
  more: Partial<AuthorizationServerConfig> = {},
  options: Pick<AuthorizationServerOptions, "clock" | "issuance" | "pressure"> = {},
): Promise<Running> {
  const database = await testDatabase({ service: "authorization_server", sources: migrations });
  const { issuer, service, close, dataDir } = await startWith(database, more, options);
  const wallet = newKeys();
  const { tenant, account, admin } = await service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    wallet: { jwks: { keys: [publicJwkOf(wallet.assertion)] }, redirectUris: [walletRedirect] },
  });
  return {
    issuer,
    service,
    dataDir,
    database,
    tenant,
    account,
    wallet,
    billing,
    directory,
    adminId: admin.clientId,
    close: async () => {
      await close();
      await database.drop();
    },
  };
}
