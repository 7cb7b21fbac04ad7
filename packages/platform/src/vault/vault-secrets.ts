import type { Vault } from "./vault.ts";

/** Secrets of others in a KV engine, version 2, of Vault or OpenBao: we put them there, and never read one. */
export type VaultSecrets = {
  /** The path by which Vault's own clients read what was put under a name: `secret/remit/…`. */
  pathOf(name: string): string;
  /** Puts another version; the newest is what its readers get. Throws `unavailable`. */
  put(path: string, values: Readonly<Record<string, string>>): Promise<void>;
};

export type VaultSecretsOptions = {
  readonly vault: Vault;
  /** Where the engine is mounted, such as `secret`. */
  readonly mount: string;
  /** Begins the names there, so that installations that share one Vault do not share a name. */
  readonly prefix: string;
};

export const vaultSecrets = ({ vault, mount, prefix }: VaultSecretsOptions): VaultSecrets => ({
  pathOf: (name) => `${mount}/${prefix}${name}`,
  put: async (path, values) => {
    // The API of version 2 has `data/` between the mount and the name.
    await vault.call("POST", `${mount}/data/${path.slice(mount.length + 1)}`, { data: { ...values } });
  },
});
