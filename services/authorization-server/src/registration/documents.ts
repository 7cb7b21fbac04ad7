import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import type { Outbound, OutboundAnswer } from "@remit/platform/outbound";
import { Problem, readJson } from "@remit/protocol";
import type { Client } from "../clients/index.ts";
import { platformTenant } from "../tenants/index.ts";
import { isLoopback } from "./addresses.ts";
import { applicationOf } from "./application.ts";
import { readAsked } from "./asked.ts";
import { refuse } from "./refuse.ts";
import { checkAddresses } from "./sector.ts";

/** Clients that are known by a document of theirs alone (draft-ietf-oauth-client-id-metadata-document): MCP clients. */
export type ClientDocuments = {
  /** The application at this client id; undefined when there is none that could be accepted. */
  clientAt(id: string): Promise<Client | undefined>;
};

const documentBytesMax = 5_120;
const timeoutMs = 2_500;
const keptMax = 500;
/** Of one site: nobody pushes out the others by naming addresses of his own, or of somebody else. */
const keptPerSiteMax = 50;
const keptSMin = 30;
const keptSMax = 3_600;

type Kept = {
  readonly site: string;
  readonly client: Promise<Client | undefined>;
  until: Instant;
  /** Whether a client was found there. */
  good: boolean;
};

/**
 * Reads such documents through the outbound guard, keeps each for as long as it says (30 s to an hour; a refusal 30 s,
 * so that nobody makes us ask somebody else's server again and again) and never more than 500, 50 of one site.
 */
export function createClientDocuments({
  outbound,
  clock,
}: {
  outbound: Outbound;
  clock: Clock;
}): ClientDocuments {
  const kept = new Map<string, Kept>();
  return {
    clientAt(id) {
      if (!isDocumentId(id)) return Promise.resolve(undefined);
      const now = clock.now();
      const known = kept.get(id);
      if (known !== undefined && known.until > now) return known.client;
      const entry: Kept = {
        site: siteOf(id),
        good: false,
        until: after(now, keptSMin * secondMs),
        client: fetched(outbound, id).then((read) => {
          if (read === undefined) return undefined;
          entry.until = after(now, read.keepS * secondMs);
          entry.good = true;
          return read.client;
        }),
      };
      kept.delete(id);
      kept.set(id, entry);
      makeRoom(kept, entry);
      return entry.client;
    },
  };
}

/** What one registrant has, as far as a name tells: hosts below the last two labels, three where those are short (`co.uk`). */
function siteOf(id: string): string {
  const { hostname } = new URL(id);
  if (isLoopback(id) || /^[\d.]+$|^\[/.test(hostname)) return hostname;
  const labels = hostname.split(".");
  const short = labels.length > 2 && (labels.at(-1) ?? "").length === 2 && (labels.at(-2) ?? "").length <= 3;
  return labels.slice(short ? -3 : -2).join(".");
}

/** Lets go of one of the new entry's own site when that has too many, else of the site that has most: refusals go first. */
function makeRoom(kept: Map<string, Kept>, added: Kept): void {
  const counts = new Map<string, number>();
  for (const { site } of kept.values()) counts.set(site, (counts.get(site) ?? 0) + 1);
  const full = (counts.get(added.site) ?? 0) > keptPerSiteMax;
  if (!full && kept.size <= keptMax) return;
  const most = Math.max(...counts.values());
  const fits = (site: string): boolean => (full ? site === added.site : counts.get(site) === most);
  const candidates = [...kept].filter(([, one]) => one !== added && fits(one.site));
  const [id] = candidates.find(([, one]) => !one.good) ?? candidates[0] ?? [];
  if (id !== undefined) kept.delete(id);
}

/**
 * Draft §3: an https URL with a path, without fragment, user or dot segments, written as a URL parser would. On a loopback
 * address also http: the outbound guard opens that in development alone.
 */
export function isDocumentId(id: string): boolean {
  const url = URL.parse(id);
  if (url === null || url.href !== id || id.length > 512) return false;
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(id))) return false;
  return url.pathname !== "/" && !id.includes("#") && url.username === "" && url.password === "";
}

async function fetched(
  outbound: Outbound,
  id: string,
): Promise<{ client: Client; keepS: number } | undefined> {
  try {
    const headers = { accept: "application/json" };
    const answer = await outbound.request({ url: id, headers, timeoutMs, bodyBytesMax: documentBytesMax });
    const client = clientOf(id, answer);
    await checkAddresses(outbound, client);
    return { client, keepS: keepSOf(answer) };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

function clientOf(id: string, { status, body }: OutboundAnswer): Client {
  const read = readJson(body, documentBytesMax);
  if (status !== 200 || !("value" in read)) return refuse("There is no client metadata document.");
  const asked = readAsked(read.value);
  // Draft §4.1: whoever serves a copy of another client's document is not that client.
  if (asked.client_id !== id) refuse("client_id is not the address of the document.");
  if ("client_secret" in asked || "client_secret_expires_at" in asked)
    refuse("A document that everybody can read holds no secret.");
  const wanted = applicationOf({ token_endpoint_auth_method: "none", ...asked }, new URL(id).host);
  if (wanted.metadata.token_endpoint_auth_method?.startsWith("client_secret") === true)
    refuse("A client that is known by its document has no secret.");
  return {
    ...wanted,
    id,
    tenant: platformTenant,
    live: true,
    assertion: undefined,
    dpopThumbprint: undefined,
    secretDigest: undefined,
  };
}

function keepSOf({ headers }: OutboundAnswer): number {
  const said = /(?:^|,)\s*max-age\s*=\s*(\d{1,9})/i.exec(headers["cache-control"] ?? "")?.[1];
  return Math.min(keptSMax, Math.max(keptSMin, Number(said ?? keptSMin)));
}
