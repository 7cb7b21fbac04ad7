import type { Clock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type CommonConfig, StartRefused } from "../host/index.ts";
import { eitherKek, type KekSource, kekFiles, type SignerEngine } from "../keys/index.ts";
import type { Outbound } from "../outbound/index.ts";
import { openVault, type Vault } from "./vault.ts";
import { vaultKek } from "./vault-kek.ts";
import { vaultSigners } from "./vault-signers.ts";

export type KeyPlacesOptions = {
  readonly config: Pick<CommonConfig, "dataDir" | "vault">;
  /** Names this service's own key-encryption key. */
  readonly service: string;
  readonly outbound: Pick<Outbound, "request">;
  readonly clock: Clock;
};

/** Where a service keeps its key-encryption key, as its settings say: in a file, or in Vault, to which it may move. */
export function kekSourceOf(options: KeyPlacesOptions): KekSource {
  const { config, service } = options;
  const files = kekFiles(config.dataDir);
  if (config.vault?.kek !== true) return files;
  const { transit: mount, keyPrefix } = config.vault;
  const there = vaultKek({
    vault: vaultOf(options, config.vault),
    mount,
    name: `${keyPrefix}kek-${service}`,
  });
  return eitherKek(there, files);
}

/** Where signing keys are made when they are to be in Vault; undefined when no Vault is set. */
export function vaultSignersOf(options: KeyPlacesOptions): SignerEngine | undefined {
  const { vault } = options.config;
  if (vault === undefined) return undefined;
  return vaultSigners({ vault: vaultOf(options, vault), mount: vault.transit, prefix: vault.keyPrefix });
}

const vaultOf = (
  { outbound, clock }: KeyPlacesOptions,
  { address, login, namespace }: NonNullable<CommonConfig["vault"]>,
): Vault => openVault({ outbound, clock, address, login, ...(namespace === undefined ? {} : { namespace }) });

/** D09: a start that needs Vault and cannot have it is refused in words. Later its absence is a 503 for what needs it. */
export async function withVault<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem && error.private?.["vault"] !== undefined)) throw error;
    throw new StartRefused(
      `cannot open its keys: Vault does not answer as it should (${JSON.stringify(error.private["vault"])})`,
      "Start or unseal Vault, and check REMIT_VAULT_* and that REMIT_OUTBOUND_ALLOW names its host and port.",
      { cause: error },
    );
  }
}
