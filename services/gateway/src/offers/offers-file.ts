import { readFile } from "node:fs/promises";
import path from "node:path";
import { Secret } from "@remit/kernel";
import { StartRefused } from "@remit/platform/host";
import { type PrivateJwk, parseJson, parsePrivateJwk } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import { mergeShops } from "./merge.ts";
import type { Facilitator, Merchant, Offers, PaymentAccounts, SaleRoute } from "./model.ts";
import { type MerchantEntry, OffersFile, type RouteEntry, type WayEntry } from "./offers-file-schema.ts";
import { sameShape } from "./paths.ts";
import { routeOf } from "./route-of.ts";

/** The file is wrong; `faults` say where, and never show a key. At the start it keeps the gateway from starting. */
export class OffersFileRefused extends StartRefused {
  readonly faults: readonly string[];

  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(
      `the offers file is refused: ${faults.join("; ")}`,
      "Mend the file that REMIT_OFFERS_FILE names.",
      options,
    );
    this.faults = faults;
  }
}

/** Reads the file and the key files that it names (paths relative to it). Throws OffersFileRefused. */
export async function readOffersFile(file: string): Promise<Offers> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new OffersFileRefused(["it cannot be read"], { cause });
  });
  return parseOffers(bytes, (name) => readFile(path.resolve(path.dirname(file), name)));
}

type ReadKey = (name: string) => Promise<Uint8Array>;

/** The same from bytes; `readKey` fetches the key files. */
export async function parseOffers(bytes: Uint8Array, readKey: ReadKey): Promise<Offers> {
  const parsed = OffersFile.safeParse(jsonOf(bytes));
  if (!parsed.success)
    throw new OffersFileRefused(parsed.error.issues.map((at) => `${at.path.join(".")}: ${at.message}`));
  const merchants = await Promise.all(parsed.data.merchants.map((entry) => merchantOf(entry, readKey)));
  const byId = new Map(merchants.map((merchant) => [merchant.id, merchant]));
  const faults = [
    ...twice(
      "merchant",
      merchants.map(({ id }) => id),
    ),
    ...twice("origin", merchants.map(hostOf)),
  ];
  const facilitators = await facilitatorsOf(parsed.data.routes, readKey);
  const routes = parsed.data.routes.map((entry) =>
    routeOf(entry, { merchant: byId.get(entry.merchant), facilitators, faults }),
  );
  const sold = routes.filter((route) => route !== undefined);
  faults.push(
    ...twice(
      "route",
      parsed.data.routes.map(({ id }) => id),
    ),
    ...overlaps(sold),
  );
  if (faults.length > 0) throw new OffersFileRefused(faults);
  return mergeShops(
    merchants.map((merchant) => ({ merchant, routes: sold.filter((route) => route.merchant === merchant) })),
  );
}

const hostOf = ({ origin }: Merchant): string => new URL(origin).host;

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, { bytesMax: 16 << 20 });
  } catch (cause) {
    throw new OffersFileRefused(["it is no JSON that two programs read alike"], { cause });
  }
}

export async function merchantOf(entry: MerchantEntry, readKey: ReadKey): Promise<Merchant> {
  const key = async (name: keyof Merchant["keys"]): Promise<PrivateJwk> => {
    const given = entry.keys[name];
    const jwk = typeof given === "string" ? await keyFile(given, readKey) : parsePrivateJwk(given);
    if (jwk === undefined)
      throw new OffersFileRefused([`${entry.id}.keys.${name}: no private JWK (P-256 or Ed25519)`]);
    return jwk;
  };
  const [assertion, dpop, offer] = await Promise.all([key("assertion"), key("dpop"), key("offer")]);
  const { id, tenant, origin, client_id } = entry;
  // Offers name their key, so it needs a name.
  const named = offer.kid === undefined ? { ...offer, kid: thumbprint(offer) } : offer;
  return {
    id,
    tenant,
    origin,
    clientId: client_id,
    keys: { assertion, dpop, offer: named },
    accounts: await accountsOf(entry, readKey),
  };
}

async function accountsOf({ payments }: MerchantEntry, readKey: ReadKey): Promise<PaymentAccounts> {
  const facilitator = await facilitatorOf(payments.facilitator, readKey);
  if (payments.stripe === undefined) return { facilitator };
  const secretKey = await secretOf(payments.stripe.secret_key, readKey);
  return { facilitator, stripe: { secretKey, origin: payments.stripe.origin } };
}

async function facilitatorOf(
  entry: MerchantEntry["payments"]["facilitator"],
  readKey: ReadKey,
): Promise<Facilitator> {
  if (entry === "local") return { kind: "local" };
  const { url, token } = entry;
  if (token === undefined) return { kind: "remote", url };
  return { kind: "remote", url, token: await secretOf(token, readKey) };
}

async function facilitatorsOf(
  routes: readonly RouteEntry[],
  readKey: ReadKey,
): Promise<Map<WayEntry, Facilitator>> {
  const found = new Map<WayEntry, Facilitator>();
  for (const way of routes.flatMap(({ ways }) => ways))
    if (way.rail === "x402" && way.facilitator !== undefined)
      found.set(way, await facilitatorOf(way.facilitator, readKey));
  return found;
}

async function secretOf(
  entry: string | { readonly file: string },
  readKey: ReadKey,
): Promise<Secret<string>> {
  if (typeof entry === "string") return new Secret(entry);
  const bytes = await readKey(entry.file).catch((cause: unknown) => {
    throw new OffersFileRefused([`the secret's file ${entry.file} cannot be read`], { cause });
  });
  return new Secret(Buffer.from(bytes).toString().trim());
}

async function keyFile(name: string, readKey: ReadKey): Promise<PrivateJwk | undefined> {
  const bytes = await readKey(name).catch((cause: unknown) => {
    throw new OffersFileRefused([`the key file ${name} cannot be read`], { cause });
  });
  return parsePrivateJwk(jsonOf(bytes));
}

const twice = (what: string, names: readonly string[]): string[] =>
  names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${what} ${name} stands twice`);

/** Between two prices a path must not choose. Of open routes, and beside a paid one, the most specific holds. */
function overlaps(routes: readonly SaleRoute[]): string[] {
  const faults: string[] = [];
  for (const [index, route] of routes.entries())
    for (const other of routes.slice(index + 1))
      if (
        route.merchant === other.merchant &&
        route.gate === "paid" &&
        other.gate === "paid" &&
        route.method === other.method &&
        sameShape(route.pattern, other.pattern)
      )
        faults.push(`routes ${route.id} and ${other.id} sell the same requests`);
  return faults;
}
