import { chmod, mkdir, open, readFile } from "node:fs/promises";
import path from "node:path";
import type { Registration } from "@remit/agent";
import { readDevFile } from "@remit/embedded";
import type { PrivateJwk } from "@remit/protocol";

/** An agent of this machine, with its private keys. */
export type Profile = { readonly issuer: string } & Registration;

type Written = {
  readonly issuer: string;
  readonly client_id: string;
  readonly assertion_jwk: PrivateJwk;
  readonly dpop_jwk: PrivateJwk;
};

export const profileIn = (dataDir: string): string => path.join(dataDir, "agent.json");

/** Refuses to write over another agent: nobody else has its keys. Readable by its owner alone. */
export async function keepProfile(dataDir: string, { issuer, clientId, keys }: Profile): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const written: Written = {
    issuer,
    client_id: clientId,
    assertion_jwk: keys.assertion,
    dpop_jwk: keys.dpop,
  };
  const file = await open(profileIn(dataDir), "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(written, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(profileIn(dataDir), 0o600);
}

/** The agent that was set up here; without one, the demo's. */
export async function readProfile(dataDir: string): Promise<Profile> {
  const own = await readFile(profileIn(dataDir), "utf8").catch(nothingThere);
  if (own !== undefined) {
    // Written by us alone, above.
    const {
      issuer,
      client_id: clientId,
      assertion_jwk: assertion,
      dpop_jwk: dpop,
    } = JSON.parse(own) as Written;
    return { issuer, clientId, keys: { assertion, dpop } };
  }
  const dev = await readDevFile(dataDir);
  if (dev === undefined)
    throw new Error(`there is no agent in ${dataDir}; the portal's page Agents shows how to set one up`);
  const { client_id: clientId, assertion_jwk: assertion, dpop_jwk: dpop } = dev.agent;
  return { issuer: dev.issuer, clientId, keys: { assertion, dpop } };
}

function nothingThere(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
