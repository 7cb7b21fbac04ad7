import { after, type Clock, type Id, type Instant, minuteMs, secondMs } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { Problem, type PublicJwk, parseJwks } from "@remit/protocol";
import { MerchantList } from "@remit/protocol/contracts";

/** A merchant as the directory states it. */
export type Merchant = {
  readonly id: Id<"merchant">;
  readonly tenant: Id<"tenant">;
  readonly client: string;
  readonly origin: string;
  /** As the directory shows it. */
  readonly name: string;
  readonly keys: readonly PublicJwk[];
  readonly categories: readonly string[];
  readonly currencies: readonly string[];
  readonly rails: readonly string[];
  readonly verified: boolean;
};

export type Merchants = {
  /** The merchant of an OAuth client; undefined when the directory has none. Known for at most 60 s. */
  ofClient(client: string): Promise<Merchant | undefined>;
  /** Asks the directory again, at most once in 5 s per client: an unknown key may be a new one. */
  again(client: string): Promise<Merchant | undefined>;
};

const knownForMs = minuteMs;
const againAfterMs = 5 * secondMs;
const keptMax = 10_000;
const timeoutMs = 5 * secondMs;
const bodyBytesMax = 256 * 1024;

type Known = { readonly merchant: Merchant; readonly askedAt: Instant };

/** Reads merchants from the directory's public API. What it does not know is asked every time. */
export function createMerchants(deps: {
  readonly outbound: Pick<Outbound, "request">;
  readonly directory: string;
  readonly clock: Clock;
}): Merchants {
  const known = new Map<string, Known>();
  const ask = async (client: string): Promise<Merchant | undefined> => {
    const askedAt = deps.clock.now();
    const merchant = await fetchMerchant(deps, client);
    known.delete(client);
    if (known.size >= keptMax) known.clear();
    if (merchant !== undefined) known.set(client, { merchant, askedAt });
    return merchant;
  };
  const unless = (ageMs: number) => async (client: string) => {
    const last = known.get(client);
    const isYoung = last !== undefined && deps.clock.now() < after(last.askedAt, ageMs);
    return isYoung ? last.merchant : ask(client);
  };
  return { ofClient: unless(knownForMs), again: unless(againAfterMs) };
}

async function fetchMerchant(
  { outbound, directory }: { outbound: Pick<Outbound, "request">; directory: string },
  client: string,
): Promise<Merchant | undefined> {
  const url = `${directory}/api/v1/merchants?client_id=${encodeURIComponent(client)}`;
  const answer = await outbound.request({ method: "GET", url, timeoutMs, bodyBytesMax });
  if (answer.status !== 200) throw unavailable({ status: answer.status });
  const list = MerchantList.safeParse(parsed(answer.body));
  if (!list.success) throw unavailable({ issues: list.error.issues.length });
  const found = list.data.data.find(({ client_id }) => client_id === client);
  if (found === undefined) return undefined;
  return {
    id: found.id,
    tenant: found.tenant_id,
    client: found.client_id,
    origin: found.origin,
    name: found.display_name,
    keys: parseJwks(found.jwks) ?? [],
    categories: found.categories,
    currencies: found.currencies,
    rails: found.rails,
    verified: found.verification_status === "verified",
  };
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

const unavailable = (why: Readonly<Record<string, unknown>>): Problem =>
  new Problem("unavailable", { private: { directory: why }, headers: { "Retry-After": "1" } });
