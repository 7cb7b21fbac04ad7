import { readFile } from "node:fs/promises";
import path from "node:path";
import { Secret } from "@remit/kernel";
import { StartRefused } from "@remit/platform/host";
import { type PrivateJwk, parsePrivateJwk } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import type { z } from "zod";
import { mergeShops } from "./merge.ts";
import type { Facilitator, Merchant, Offers, PaymentAccounts, SaleRoute } from "./model.ts";
import { type MerchantEntry, OffersFile, type RouteEntry, type WayEntry } from "./offers-file-schema.ts";
import { routeOf } from "./route-of.ts";
import { type Path, readSource, type Spot } from "./source.ts";
import { doClash } from "./tools.ts";

/** One thing that is wrong with the file, and where; it never shows a key. */
export type OffersFault = { readonly message: string; readonly spot?: Spot };

/** The file is wrong. At the start it keeps the gateway from starting. */
export class OffersFileRefused extends StartRefused {
  readonly faults: readonly OffersFault[];

  constructor(faults: readonly OffersFault[], options?: ErrorOptions) {
    super(
      `the offers file is refused: ${faults.map(inWords).join("; ")}`,
      "Mend the file that REMIT_OFFERS_FILE names; npx remit offers lint FILE tells of each fault.",
      options,
    );
    this.faults = faults;
  }
}

const inWords = ({ message, spot }: OffersFault): string =>
  spot === undefined ? message : `${spot.line}:${spot.column} ${message}`;

/** Reads the file and the key files that it names (paths relative to it). Throws OffersFileRefused. */
export async function readOffersFile(file: string): Promise<Offers> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new OffersFileRefused([{ message: "it cannot be read" }], { cause });
  });
  return parseOffers(bytes, (name) => readFile(path.resolve(path.dirname(file), name)));
}

type ReadKey = (name: string) => Promise<Uint8Array>;

/** The same from bytes, JSON or YAML; `readKey` fetches the key files. */
export async function parseOffers(bytes: Uint8Array, readKey: ReadKey): Promise<Offers> {
  const source = readSource(bytes);
  if ("faults" in source) throw new OffersFileRefused(source.faults);
  const at = (place: Path, message: string): OffersFault => {
    const spot = source.spotOf(place);
    return spot === undefined ? { message } : { message, spot };
  };
  const parsed = OffersFile.safeParse(source.value);
  if (!parsed.success)
    throw new OffersFileRefused(parsed.error.issues.map((issue) => schemaFault(issue, at)));
  const { merchants: given, routes: entries, servers: programs } = parsed.data;
  const merchants = await Promise.all(given.map((entry) => merchantOf(entry, readKey)));
  const byId = new Map(merchants.map((merchant) => [merchant.id, merchant]));
  const facilitators = await facilitatorsOf(entries, readKey);
  const servers = new Map(
    programs.map(({ id, cwd, ...rest }) => [id, { ...rest, ...(cwd !== undefined && { cwd }) }]),
  );
  const sold: Placed[] = [];
  const faults = [
    ...twice(
      "merchants",
      merchants.map(({ id }) => id),
    ),
    ...twice("merchants", merchants.map(hostOf)),
    ...twice(
      "servers",
      programs.map(({ id }) => id),
    ),
  ];
  faults.push(
    ...twice(
      "routes",
      entries.map(({ id }) => id),
    ),
  );
  for (const [index, entry] of entries.entries()) {
    const mine: string[] = [];
    const merchant = byId.get(entry.merchant);
    const route = routeOf(entry, { merchant, facilitators, servers, faults: mine });
    const place = ["routes", index];
    faults.push(...mine.map((message) => ({ place, message })));
    if (route !== undefined) sold.push({ place, route });
  }
  faults.push(...sameRequests(sold));
  if (faults.length > 0) throw new OffersFileRefused(faults.map(({ place, message }) => at(place, message)));
  const routes = sold.map(({ route }) => route);
  return mergeShops(
    merchants.map((merchant) => ({
      merchant,
      routes: routes.filter((route) => route.merchant === merchant),
    })),
  );
}

type Placed = { readonly place: Path; readonly route: SaleRoute };
type PlacedFault = { readonly place: Path; readonly message: string };

function schemaFault(
  issue: z.core.$ZodIssue,
  at: (place: Path, message: string) => OffersFault,
): OffersFault {
  // A member that nobody knows stands at its own name, not at the object around it.
  const place = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
  return at(place, `${issue.path.join(".") || "the file"}: ${issue.message}`);
}

const hostOf = ({ origin }: Merchant): string => new URL(origin).host;

export async function merchantOf(entry: MerchantEntry, readKey: ReadKey): Promise<Merchant> {
  const key = async (name: keyof Merchant["keys"]): Promise<PrivateJwk> => {
    const given = entry.keys[name];
    const jwk = typeof given === "string" ? await keyFile(given, readKey) : parsePrivateJwk(given);
    if (jwk === undefined)
      throw new OffersFileRefused([
        { message: `${entry.id}.keys.${name}: no private JWK (P-256 or Ed25519)` },
      ]);
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

async function accountsOf({ id, payments }: MerchantEntry, readKey: ReadKey): Promise<PaymentAccounts> {
  const { stripe, wallet_key: walletKey } = payments;
  const facilitator = await facilitatorOf(payments.facilitator, readKey);
  const wallet = walletKey === undefined ? undefined : await secretOf(walletKey, readKey);
  if (wallet !== undefined && !/^0x[0-9a-fA-F]{64}$/.test(wallet.reveal()))
    throw new OffersFileRefused([{ message: `${id}.payments.wallet_key: no 0x and 64 hex digits` }]);
  return {
    facilitator,
    ...(wallet !== undefined && { wallet }),
    ...(stripe !== undefined && {
      stripe: { secretKey: await secretOf(stripe.secret_key, readKey), origin: stripe.origin },
    }),
  };
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
    throw new OffersFileRefused([{ message: `the secret's file ${entry.file} cannot be read` }], { cause });
  });
  return new Secret(Buffer.from(bytes).toString().trim());
}

async function keyFile(name: string, readKey: ReadKey): Promise<PrivateJwk | undefined> {
  const bytes = await readKey(name).catch((cause: unknown) => {
    throw new OffersFileRefused([{ message: `the key file ${name} cannot be read` }], { cause });
  });
  const source = readSource(bytes);
  return "faults" in source ? undefined : parsePrivateJwk(source.value);
}

const twice = (list: "merchants" | "routes" | "servers", names: readonly string[]): PlacedFault[] =>
  names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [{ place: [list, index], message: `${list}: ${name} stands twice` }],
  );

function sameRequests(placed: readonly Placed[]): PlacedFault[] {
  const faults: PlacedFault[] = [];
  for (const [index, { route }] of placed.entries())
    for (const { place, route: other } of placed.slice(index + 1))
      if (route.merchant === other.merchant && doClash(route, other))
        faults.push({ place, message: `routes ${route.id} and ${other.id} sell the same requests` });
  return faults;
}
