import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "@remit/kernel";
import type { PrivateJwk } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import type { ClientKeys } from "./accounts.ts";
import type { DevFile } from "./dev-file.ts";
import { registerClient, registerMerchant, verifyMerchant } from "./registering.ts";
import { sandboxSeller } from "./sandbox-seller.ts";

/** Another merchant of a development instance's organization, at a host of its own and with keys of its own. */
export type Shop = {
  readonly id: string;
  readonly origin: string;
  /** Why the directory does not vouch for its origin; until it does, nothing is sold there under a mandate. */
  readonly unproven?: string;
};

/** What the gateway is told of it (`PUT /api/v1/merchants/:id`). */
export type ShopEntry = { readonly id: string; readonly body: object };

type Kept = {
  readonly keys: ClientKeys & { readonly offer: PrivateJwk };
  readonly clientId?: string;
  readonly id?: string;
};

/**
 * The merchant that sells at a host, made at the first call. Each step is written down, so that one that failed goes on
 * where it ended. A name below `localhost` is this machine (RFC 6761 §6.3) and reached at the gateway's port; any other
 * is reached as the world reaches it, over TLS that ends in front of the gateway.
 */
export async function openShop(
  dev: DevFile,
  host: string,
  tellGateway: (entry: ShopEntry) => Promise<unknown>,
): Promise<Shop> {
  const origin = originAt(dev, host);
  const where = { issuer: dev.issuer, directory: dev.directory, clock: systemClock };
  let kept = await keptIn(dev, host);
  const { keys } = kept;
  const clientId =
    kept.clientId ?? (await registerClient(where, dev.admin, { kind: "merchant", name: host, keys }));
  if (kept.clientId === undefined) await keep(dev, host, (kept = { ...kept, clientId }));
  const client = { clientId, keys };
  const id = kept.id ?? (await registerMerchant(where, client, { origin, name: host, categories: [] }));
  if (kept.id === undefined) await keep(dev, host, { ...kept, id });
  await tellGateway({
    id,
    body: {
      tenant: dev.tenant.id,
      origin,
      client_id: clientId,
      keys,
      payments: { stripe: { secret_key: sandboxSeller.stripeKey, origin: dev.sandbox } },
    },
  });
  const unproven = await verifyMerchant(where, id, client).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  return { id, origin, ...(unproven !== undefined && { unproven }) };
}

const originAt = (dev: DevFile, host: string): string =>
  host.endsWith(".localhost") ? `http://${host}:${new URL(dev.gateway).port}` : `https://${host}`;

const folderOf = (dev: DevFile): string => path.join(dev.data_dir, "shops");
const fileOf = (dev: DevFile, host: string): string => path.join(folderOf(dev), `${host}.json`);

/** Its keys are written before anybody hears of them: whoever comes first has made them, for all who come. */
async function keptIn(dev: DevFile, host: string): Promise<Kept> {
  const file = fileOf(dev, host);
  const key = (): PrivateJwk => generateJwk("ES256");
  const fresh: Kept = { keys: { assertion: key(), dpop: key(), offer: key() } };
  await mkdir(folderOf(dev), { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, JSON.stringify(fresh), { mode: 0o600, flag: "wx" });
    return fresh;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  // Written by us alone, above and below.
  return JSON.parse(await readFile(file, "utf8")) as Kept;
}

async function keep(dev: DevFile, host: string, kept: Kept): Promise<void> {
  const fresh = `${fileOf(dev, host)}.new`;
  await writeFile(fresh, JSON.stringify(kept), { mode: 0o600 });
  await rename(fresh, fileOf(dev, host));
}
