import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PrivateJwk } from "@remit/protocol";

/** What a program needs to use a development instance: origins without a trailing slash, and every key of the demo. */
export type DevFile = {
  readonly pid: number;
  readonly version: string;
  readonly data_dir: string;
  readonly issuer: string;
  /** The portal: where a person signs in and sees what agents may spend. */
  readonly wallet: string;
  readonly directory: string;
  readonly billing: string;
  readonly gateway: string;
  readonly sandbox: string;
  /** The local chain: a dollar at the address it has on Base Sepolia, and a payer who has some. Absent where none can run. */
  readonly chain?: {
    readonly rpc: string;
    readonly chain_id: number;
    readonly usdc: string;
    readonly payer_key: string;
  };
  /** Where an agent's client has shared payment tokens made, for the seller that the sandbox's Stripe account is. */
  readonly spt_endpoint: string;
  readonly tenant: { readonly id: string };
  readonly principal: { readonly id: string; readonly email: string; readonly password: string };
  readonly admin: { readonly client_id: string; readonly client_secret: string };
  /** Of the installation itself: its keys. Absent in a file that an older version wrote. */
  readonly operator?: { readonly client_id: string; readonly client_secret: string };
  readonly agent: {
    readonly client_id: string;
    readonly did: string;
    readonly assertion_jwk: PrivateJwk;
    readonly dpop_jwk: PrivateJwk;
  };
  readonly merchant: {
    readonly id: string;
    readonly origin: string;
    readonly client_id: string;
    readonly assertion_jwk: PrivateJwk;
    readonly dpop_jwk: PrivateJwk;
  };
  readonly paid_url: string;
};

const fileIn = (dataDir: string): string => path.join(dataDir, "dev.json");

/** Replaces the file whole, readable by its owner alone: it holds private keys. */
export async function writeDevFile(dev: DevFile): Promise<void> {
  const fresh = `${fileIn(dev.data_dir)}.new`;
  await writeFile(fresh, `${JSON.stringify(dev, null, 2)}\n`, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, fileIn(dev.data_dir));
}

/** Undefined when no instance ever ran there. */
export async function readDevFile(dataDir: string): Promise<DevFile | undefined> {
  try {
    // Written by us alone, above.
    return JSON.parse(await readFile(fileIn(dataDir), "utf8")) as DevFile;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
