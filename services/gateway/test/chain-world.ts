import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Secret, systemClock } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import {
  type SandboxChain,
  type SignedPayment,
  sandboxKeys,
  sandboxTokens,
  type TestDatabase,
  testChain,
  testDatabase,
} from "@remit/testkit";
import { createGateway, migrations, type Service } from "../src/index.ts";

/** Gateways on one database and one chain, with nothing to sell: what is tried is who settles. */
export type ChainWorld = {
  readonly chain: SandboxChain;
  readonly database: TestDatabase;
  /** Starts one more, as another process would: its address. */
  start(more?: {
    readonly token?: string;
    readonly settleMs?: number;
    readonly outbidMs?: number;
    readonly gasGweiMax?: number;
    /** Another node of the chain. */
    readonly rpc?: string;
  }): Promise<string>;
  stop(address: string): Promise<void>;
  /** How often the token says that an authorization was used. */
  uses(payment: SignedPayment): Promise<number>;
  transactions(): Promise<{ tx_nonce: string; max_fee: string; transaction: string }[]>;
  close(): Promise<void>;
};

const used = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"; // AuthorizationUsed(address,bytes32)

/** How often the token says that an authorization was used. */
export async function usesOn(chain: SandboxChain, { payload, requirements }: SignedPayment): Promise<number> {
  // Signed by the test kit, which writes an authorization there.
  const { from, nonce } = payload["authorization"] as { from: string; nonce: string };
  const filter = {
    address: requirements.asset,
    fromBlock: "0x0",
    topics: [used, `0x${from.slice(2).padStart(64, "0")}`, nonce],
  };
  return ((await chain.call("eth_getLogs", [filter])) as unknown[]).length;
}

export async function startChainWorld(): Promise<ChainWorld> {
  const [chain, database] = await Promise.all([
    testChain(),
    testDatabase({ service: "gateway", sources: migrations }),
  ]);
  const root = await mkdtemp(path.join(tmpdir(), "remit-facilitator-"));
  const running = new Map<string, Service>();
  let kek: string | undefined;
  return {
    chain,
    database,
    start: async ({ token, rpc = chain.rpc, ...more } = {}) => {
      const dataDir = await mkdtemp(path.join(root, "gateway-"));
      const offersFile = path.join(dataDir, "offers.json");
      await writeFile(offersFile, JSON.stringify({ merchants: [], routes: [] }));
      // Replicas share a key-encryption key, which the first of them makes.
      if (kek !== undefined) await copyFile(kek, path.join(dataDir, "kek"));
      const gateway = createGateway({
        config: {
          origin: "http://gateway.test",
          issuer: "http://issuer.test",
          host: "127.0.0.1",
          port: 0,
          databaseUrl: database.url,
          schema: database.schema,
          roles: database.roles,
          dataDir,
          outboundAllow: [],
          livemode: false,
          offersFile,
          chains: {
            assets: [sandboxTokens.forgiving, sandboxTokens.taxing].map(
              (token) => `eip155:84532/erc20:${token}`,
            ),
            rpcUrls: { "eip155:84532": rpc },
            facilitatorKey: new Secret(sandboxKeys.facilitator),
            ...(token !== undefined && { facilitatorToken: new Secret(token) }),
            ...more,
          },
        },
        clock: systemClock,
        log: createLog({ service: "gateway", level: "silent" }),
      });
      const address = await gateway.listen();
      running.set(address, gateway);
      kek ??= path.join(dataDir, "kek");
      return address;
    },
    stop: async (address) => {
      await running.get(address)?.close();
      running.delete(address);
    },
    uses: (payment) => usesOn(chain, payment),
    transactions: () =>
      database.asAdmin(
        `select tx_nonce::text, max_fee::text, transaction from ${database.schema}.settlement_transactions order by created_at`,
      ),
    close: async () => {
      await Promise.all([...running.values()].map((gateway) => gateway.close()));
      await Promise.all([chain.stop(), database.drop()]);
      await rm(root, { recursive: true });
    },
  };
}

export const bodyV2 = ({ payload, requirements }: SignedPayment) => ({
  x402Version: 2,
  paymentPayload: { x402Version: 2, accepted: requirements, payload },
  paymentRequirements: requirements,
});

export const bodyV1 = ({ payload, requirements: { amount, ...rest } }: SignedPayment) => ({
  x402Version: 1,
  paymentPayload: { x402Version: 1, scheme: rest.scheme, network: "base-sepolia", payload },
  paymentRequirements: {
    ...rest,
    network: "base-sepolia",
    maxAmountRequired: amount,
    resource: "http://shop.test/",
    description: "",
    mimeType: "application/json",
    outputSchema: null,
  },
});

export type Settled = {
  readonly success: boolean;
  readonly transaction: string;
  readonly network: string;
  readonly payer?: string;
  readonly errorReason?: string;
};

export async function post(
  address: string,
  verb: "verify" | "settle",
  { body, headers = {} }: { readonly body: unknown; readonly headers?: Record<string, string> },
): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${address}/facilitator/${verb}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

export const settle = async (
  address: string,
  payment: SignedPayment,
  headers: Record<string, string> = {},
): Promise<Settled> => {
  const { body } = await post(address, "settle", { body: bodyV2(payment), headers });
  return body as Settled; // the API's own shape, which the tests then compare
};
