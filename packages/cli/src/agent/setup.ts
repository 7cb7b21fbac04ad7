import { access } from "node:fs/promises";
import { registerAgent } from "@remit/agent";
import { readDevFile } from "@remit/embedded";
import { bold, faint, good, print, printJson } from "../output.ts";
import type { Where } from "../where.ts";
import { keepProfile, profileIn } from "./profile.ts";

export type SetupWish = Where & { readonly issuer?: string; readonly name?: string };

/** Registers an agent with keys that are made here, and keeps them here. */
export async function setup(token: string, { dataDir, issuer: told, name, json }: SetupWish): Promise<void> {
  const issuer = told ?? (await readDevFile(dataDir))?.issuer;
  if (issuer === undefined) throw new Error("say with --issuer whose agent it is to be");
  // The token is good once: a place that is taken is found out before it is spent.
  if (await exists(profileIn(dataDir)))
    throw new Error(
      `${profileIn(dataDir)} holds an agent already; name another place with --data-dir, or move that file away`,
    );
  const registered = await registerAgent({
    issuer,
    setupToken: token,
    ...(name === undefined ? {} : { name }),
    redirectUris: [],
  });
  await keepProfile(dataDir, { issuer, ...registered });
  if (json === true)
    return printJson({ issuer, client_id: registered.clientId, profile: profileIn(dataDir) });
  print(good(`The agent ${registered.clientId} is registered.`));
  print(`Its keys are in ${bold(profileIn(dataDir))}, and nowhere else.`);
  print(faint("Give it a mandate in the portal, then: npx remit pay URL"));
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
