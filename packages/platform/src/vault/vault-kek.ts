import { invariant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { KekEngine, KekSource } from "../keys/index.ts";
import type { Vault } from "./vault.ts";

export type VaultKekOptions = {
  readonly vault: Vault;
  readonly mount: string;
  /** The key's name in the transit engine; one per service. */
  readonly name: string;
};

/**
 * The key-encryption key in the transit engine of Vault or OpenBao: each of its versions is one. It wraps and unwraps
 * there and never leaves it.
 */
export function vaultKek({ vault, mount, name }: VaultKekOptions): KekSource {
  const path = `${mount}/keys/${name}`;
  const start = `vault:${mount}/${name}#`;
  const engineOf = (version: number): KekEngine => ({
    id: `${start}${version}`,
    async wrap({ plaintext, aad }) {
      const answer = await vault.call("POST", `${mount}/encrypt/${name}`, {
        plaintext: Buffer.from(plaintext).toString("base64"),
        associated_data: Buffer.from(aad).toString("base64"),
        key_version: version,
      });
      const text = answer?.["ciphertext"];
      if (typeof text !== "string" || !text.startsWith(`vault:v${version}:`))
        throw wrong("encrypted nothing");
      return new TextEncoder().encode(text);
    },
    async unwrap({ wrapped, aad }) {
      const answer = await vault.call("POST", `${mount}/decrypt/${name}`, {
        ciphertext: new TextDecoder().decode(wrapped),
        associated_data: Buffer.from(aad).toString("base64"),
      });
      const text = answer?.["plaintext"];
      if (typeof text !== "string") throw wrong("decrypted nothing");
      return new Uint8Array(Buffer.from(text, "base64"));
    },
  });
  const newest = async (): Promise<KekEngine | undefined> => {
    const version = (await vault.call("GET", path))?.["latest_version"];
    return typeof version === "number" ? engineOf(version) : undefined;
  };
  const made = async (at: string, body = {}): Promise<KekEngine> => {
    await vault.call("POST", at, body);
    const key = await newest();
    if (key === undefined) throw wrong("has no such key");
    return key;
  };
  return {
    first: async () => (await newest()) ?? made(path, { type: "aes256-gcm96", exportable: false }),
    async find(id) {
      const version = Number(id.startsWith(start) ? id.slice(start.length) : Number.NaN);
      return Number.isInteger(version) ? engineOf(version) : undefined;
    },
    async next(current) {
      const there = (await newest()) ?? (await made(path, { type: "aes256-gcm96", exportable: false }));
      return there.id === current ? made(`${path}/rotate`) : there;
    },
    async settle(current, former) {
      if (former === undefined || !former.startsWith(start)) return;
      // Vault then opens nothing that is under an older version; where the key has moved away, one that nothing is under.
      const oldest = current.startsWith(start) ? current : (await made(`${path}/rotate`)).id;
      const version = Number(oldest.slice(start.length));
      invariant(Number.isInteger(version), "a version of a key in Vault is a number");
      await vault.call("POST", `${path}/config`, { min_decryption_version: version });
    },
    remedy: `Give this service the key ${name} of the transit engine ${mount} that this database was made with.`,
  };
}

const wrong = (because: string): Problem =>
  new Problem("unavailable", { private: { because: `Vault ${because}` } });
