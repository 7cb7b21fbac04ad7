import type { Clock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type CommonConfig, StartRefused } from "../host/index.ts";
import { eitherKek, type KekSource, kekFiles, type SignerEngine } from "../keys/index.ts";
import { type Kms, kmsKek, kmsSigners, openKms } from "../kms/index.ts";
import type { Outbound } from "../outbound/index.ts";
import {
  openVault,
  type Vault,
  type VaultSecrets,
  vaultKek,
  vaultSecrets,
  vaultSigners,
} from "../vault/index.ts";

export type KeyPlacesOptions = {
  readonly config: Pick<CommonConfig, "dataDir" | "vault" | "kms">;
  /** Names this service's own key-encryption key. */
  readonly service: string;
  readonly outbound: Pick<Outbound, "request">;
  readonly clock: Clock;
};

/**
 * Where a service keeps its key-encryption key, as its settings say: in a file, in Vault, or in KMS. It may move from each
 * of them to each other; the places that are set are looked at for what is still under a key there.
 */
export function kekSourceOf(options: KeyPlacesOptions): KekSource {
  const { vault, kms } = options.config;
  const places = [
    { chosen: vault?.kek === true, source: vaultKekOf(options) },
    { chosen: kms?.kek === true, source: kmsKekOf(options) },
    { chosen: vault?.kek !== true && kms?.kek !== true, source: kekFiles(options.config.dataDir) },
  ];
  return places
    .toSorted((a, b) => Number(b.chosen) - Number(a.chosen))
    .map(({ source }) => source)
    .filter((source) => source !== undefined)
    .reduce(eitherKek);
}

function vaultKekOf(options: KeyPlacesOptions): KekSource | undefined {
  const { vault } = options.config;
  if (vault === undefined) return undefined;
  const name = `${vault.keyPrefix}kek-${options.service}`;
  return vaultKek({ vault: vaultOf(options, vault), mount: vault.transit, name });
}

function kmsKekOf(options: KeyPlacesOptions): KekSource | undefined {
  const { kms } = options.config;
  if (kms === undefined) return undefined;
  return kmsKek({ kms: kmsOf(options, kms), alias: `alias/${kms.keyPrefix}kek-${options.service}` });
}

/** Where signing keys may be besides this process: in each place that is set. */
export function signersOf(options: KeyPlacesOptions): SignerEngine[] {
  const { vault, kms } = options.config;
  const found: SignerEngine[] = [];
  if (vault !== undefined)
    found.push(
      vaultSigners({ vault: vaultOf(options, vault), mount: vault.transit, prefix: vault.keyPrefix }),
    );
  if (kms !== undefined) found.push(kmsSigners({ kms: kmsOf(options, kms), prefix: kms.keyPrefix }));
  return found;
}

/** Where secrets of agents may be kept for them, if the settings name a KV engine of Vault. */
export function secretsOf(options: KeyPlacesOptions): VaultSecrets | undefined {
  const { vault } = options.config;
  if (vault?.kv === undefined) return undefined;
  return vaultSecrets({ vault: vaultOf(options, vault), mount: vault.kv, prefix: vault.keyPrefix });
}

const vaultOf = (
  { outbound, clock }: KeyPlacesOptions,
  { address, login, namespace }: NonNullable<CommonConfig["vault"]>,
): Vault => openVault({ outbound, clock, address, login, ...(namespace === undefined ? {} : { namespace }) });

const kmsOf = (
  { outbound, clock }: KeyPlacesOptions,
  { region, endpoint, login }: NonNullable<CommonConfig["kms"]>,
): Kms => openKms({ outbound, clock, region, endpoint, login });

/** D09: a start that needs Vault or KMS and cannot have it is refused in words. Later its absence is a 503 for what needs it. */
export async function withKeepers<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { vault, kms } = error instanceof Problem ? (error.private ?? {}) : {};
    if (vault === undefined && kms === undefined) throw error;
    const name = vault === undefined ? "KMS" : "Vault";
    throw new StartRefused(
      `cannot open its keys: ${name} does not answer as it should (${JSON.stringify(vault ?? kms)})`,
      vault === undefined
        ? "Check REMIT_KMS_*, what its credentials may do, and that REMIT_OUTBOUND_ALLOW names whatever of it is at a private address."
        : "Start or unseal Vault, and check REMIT_VAULT_* and that REMIT_OUTBOUND_ALLOW names its host and port.",
      { cause: error },
    );
  }
}
