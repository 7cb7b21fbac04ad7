import { randomBytes } from "node:crypto";
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PrivateJwk } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";

export type ClientKeys = { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };

/** What the first start makes up, before anybody is told of it: so a crash between two steps repeats them unchanged. */
export type DemoSecrets = {
  readonly principal: { readonly email: string; readonly password: string; readonly name: string };
  readonly adminSecret: string;
  readonly operatorSecret: string;
  readonly agent: ClientKeys;
  readonly merchant: ClientKeys & { readonly offer: PrivateJwk };
};

/** Ids as the services gave them, step by step. */
export type DemoProgress = {
  readonly agentId?: string;
  readonly merchantClientId?: string;
  readonly merchantId?: string;
  readonly verified?: true;
  readonly instrumentId?: string;
};

export type DemoAccounts = { readonly secrets: DemoSecrets; readonly progress: DemoProgress };

const fileIn = (dataDir: string): string => path.join(dataDir, "demo-accounts.json");

export async function loadAccounts(dataDir: string): Promise<DemoAccounts> {
  try {
    // Written by saveAccounts alone.
    const kept = JSON.parse(await readFile(fileIn(dataDir), "utf8")) as DemoAccounts;
    if (Object.hasOwn(kept.secrets, "operatorSecret")) return kept;
    // From before an installation had an operator.
    const { operatorSecret } = makeSecrets();
    const completed = { ...kept, secrets: { ...kept.secrets, operatorSecret } };
    await saveAccounts(dataDir, completed);
    return completed;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  const fresh: DemoAccounts = { secrets: makeSecrets(), progress: {} };
  await saveAccounts(dataDir, fresh);
  return fresh;
}

export async function saveAccounts(dataDir: string, accounts: DemoAccounts): Promise<void> {
  const fresh = `${fileIn(dataDir)}.new`;
  await writeFile(fresh, `${JSON.stringify(accounts, null, 2)}\n`, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, fileIn(dataDir));
}

const makeSecrets = (): DemoSecrets => ({
  principal: {
    email: "demo@remit.example",
    password: randomBytes(15).toString("base64url"),
    name: "Demo Principal",
  },
  adminSecret: randomBytes(32).toString("base64url"),
  operatorSecret: randomBytes(32).toString("base64url"),
  agent: clientKeys(),
  merchant: { ...clientKeys(), offer: generateJwk("ES256") },
});

const clientKeys = (): ClientKeys => ({ assertion: generateJwk("ES256"), dpop: generateJwk("ES256") });
