import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Id, idPattern, type Money, moneyOf } from "@remit/kernel";
import { StartRefused } from "@remit/platform/host";
import { type PrivateJwk, parseJson, parsePrivateJwk } from "@remit/protocol";
import { Origin, text } from "@remit/protocol/contracts";
import { thumbprint } from "@remit/protocol/node";
import { z } from "zod";
import { overlap, type Pattern, parsePattern } from "./paths.ts";

/** A merchant whose goods the gateway sells, and the keys with which it speaks for it. */
export type Merchant = {
  readonly id: Id<"merchant">;
  /** The payee: whose rows the purchases are. */
  readonly tenant: Id<"tenant">;
  /** Where its paid routes are reached; also the audience of every presentation. */
  readonly origin: string;
  readonly clientId: string;
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk; readonly offer: PrivateJwk };
};

/** What is sold at one address. */
export type SaleRoute = {
  readonly id: string;
  readonly merchant: Merchant;
  readonly method: string;
  readonly pattern: Pattern;
  /** Origin of the server behind; it sees the path that was asked for. */
  readonly upstream: string;
  readonly price: Money;
  readonly name: string;
  readonly sku: string;
  readonly description?: string;
  readonly serveByS: number;
};

export type Shop = { readonly merchant: Merchant; readonly routes: readonly SaleRoute[] };

/** Everything that is for sale, by the Host that buyers name. */
export type Offers = ReadonlyMap<string, Shop>;

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

const idOf = <K extends "merchant" | "tenant">(kind: K): z.ZodType<Id<K>> =>
  // The pattern is the whole definition of an id of this kind; zod cannot express the brand.
  z.string().regex(new RegExp(idPattern(kind))) as unknown as z.ZodType<Id<K>>;

const Key = z.union([z.string().min(1).max(1024), z.record(z.string(), z.unknown())]);

const MerchantEntry = z.strictObject({
  id: idOf("merchant"),
  tenant: idOf("tenant"),
  origin: Origin,
  client_id: z.string().min(1).max(255),
  keys: z.strictObject({ assertion: Key, dpop: Key, offer: Key }),
});

const RouteEntry = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  merchant: idOf("merchant"),
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]),
  path: z.string().max(1024),
  upstream: Origin,
  amount_minor: z.number(),
  currency: z.string(),
  name: text(200),
  sku: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  description: text(500).optional(),
  serve_by_s: z.int().min(1).max(900).default(60),
});

const OffersFile = z.strictObject({
  merchants: z.array(MerchantEntry).max(1000),
  routes: z.array(RouteEntry).max(10_000),
});
type OffersFile = z.output<typeof OffersFile>;

/** Reads the file and the key files that it names (paths relative to it). Throws OffersFileRefused. */
export async function readOffersFile(file: string): Promise<Offers> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new OffersFileRefused(["it cannot be read"], { cause });
  });
  return parseOffers(bytes, (name) => readFile(path.resolve(path.dirname(file), name)));
}

/** The same from bytes; `readKey` fetches the key files. */
export async function parseOffers(
  bytes: Uint8Array,
  readKey: (name: string) => Promise<Uint8Array>,
): Promise<Offers> {
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
  const routes = parsed.data.routes.map((entry) => routeOf(entry, byId.get(entry.merchant), faults));
  const sold = routes.filter((route) => route !== undefined);
  faults.push(
    ...twice(
      "route",
      parsed.data.routes.map(({ id }) => id),
    ),
    ...overlaps(sold),
  );
  if (faults.length > 0) throw new OffersFileRefused(faults);
  return new Map(
    merchants.map((merchant) => [
      hostOf(merchant),
      { merchant, routes: sold.filter((route) => route.merchant === merchant) },
    ]),
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

async function merchantOf(
  entry: OffersFile["merchants"][number],
  readKey: (name: string) => Promise<Uint8Array>,
): Promise<Merchant> {
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
  return { id, tenant, origin, clientId: client_id, keys: { assertion, dpop, offer: named } };
}

async function keyFile(
  name: string,
  readKey: (name: string) => Promise<Uint8Array>,
): Promise<PrivateJwk | undefined> {
  const bytes = await readKey(name).catch((cause: unknown) => {
    throw new OffersFileRefused([`the key file ${name} cannot be read`], { cause });
  });
  return parsePrivateJwk(jsonOf(bytes));
}

/** The route, or undefined with its faults added: all faults of a file are told at once. */
function routeOf(
  entry: OffersFile["routes"][number],
  merchant: Merchant | undefined,
  faults: string[],
): SaleRoute | undefined {
  const pattern = parsePattern(entry.path);
  const price = moneyOf(entry.amount_minor, entry.currency);
  const { id, method, upstream, name, sku, description, serve_by_s } = entry;
  if (merchant === undefined) faults.push(`${id}: its merchant is not in the file`);
  if ("fault" in pattern) faults.push(`${id}: path ${pattern.fault}`);
  if (price === undefined) faults.push(`${id}: amount_minor is a positive integer of an ISO 4217 currency`);
  if (merchant === undefined || "fault" in pattern || price === undefined) return undefined;
  const facts = { id, merchant, method, pattern, upstream, price, name, sku, serveByS: serve_by_s };
  return description === undefined ? facts : { ...facts, description };
}

const twice = (what: string, names: readonly string[]): string[] =>
  names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${what} ${name} stands twice`);

function overlaps(routes: readonly SaleRoute[]): string[] {
  const faults: string[] = [];
  for (const [index, route] of routes.entries())
    for (const other of routes.slice(index + 1))
      if (
        route.merchant === other.merchant &&
        route.method === other.method &&
        overlap(route.pattern, other.pattern)
      )
        faults.push(`routes ${route.id} and ${other.id} overlap`);
  return faults;
}
