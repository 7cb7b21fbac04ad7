import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  isJsonObject,
  type PrivateJwk,
  type PublicJwk,
  parseJson,
  parsePrivateJwk,
  publicJwkOf,
} from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { StartRefused } from "../host/index.ts";
import { createOnce } from "../keys/index.ts";

/** A service's own keys: one that signs client assertions, one that its tokens are bound to. */
export type PeerKeys = {
  readonly assertion: PrivateJwk;
  readonly dpop: PrivateJwk;
  /** For the service's `/.well-known/jwks.json`: the key that proves who it is. */
  readonly jwks: { readonly keys: readonly PublicJwk[] };
};

/** Reads `<dataDir>/peer-keys.json` (0600); makes it at the first start. */
export async function loadPeerKeys(dataDir: string): Promise<PeerKeys> {
  const path = join(dataDir, "peer-keys.json");
  const fresh = { assertion: generateJwk("ES256"), dpop: generateJwk("ES256") };
  await createOnce(path, new TextEncoder().encode(`${JSON.stringify(fresh)}\n`));
  const stored = parseJson(await readFile(path));
  const assertion = parsePrivateJwk(isJsonObject(stored) ? stored["assertion"] : undefined);
  const dpop = parsePrivateJwk(isJsonObject(stored) ? stored["dpop"] : undefined);
  if (assertion === undefined || dpop === undefined)
    throw new StartRefused(
      `the key file ${path} cannot be read`,
      "Restore it, or delete it so that new keys are made.",
    );
  return { assertion, dpop, jwks: { keys: [{ ...publicJwkOf(assertion), use: "sig" }] } };
}
