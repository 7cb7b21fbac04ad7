import { type Clock, type Moment, minuteMs, momentOf, msSince, secondMs } from "@remit/kernel";
import { keyIdOf, Problem, type PublicJwk, parseJson, parseJwks } from "@remit/protocol";
import { bytesOf, type Wire } from "../identity/index.ts";

/** The published keys of the merchants an agent buys from. */
export type Sellers = {
  /** The keys of an origin, among them the one that signed this offer if the merchant publishes it. */
  keysFor(origin: string, offer: string): Promise<readonly PublicJwk[]>;
};

type Kept = { readonly keys: readonly PublicJwk[]; readonly fetched: Moment };

const keptMs = 5 * minuteMs;
// A key that is not among the kept ones may be new; an unknown `kid` must not make us ask again and again.
const againMs = 30 * secondMs;
const originsMax = 1000;

export function createSellers({ wire, clock }: { readonly wire: Wire; readonly clock: Clock }): Sellers {
  const kept = new Map<string, Kept>();
  return {
    async keysFor(origin, offer) {
      const known = kept.get(origin);
      const ageMs = known === undefined ? Infinity : msSince(known.fetched, clock);
      const kid = keyIdOf(offer);
      const hasKey = known?.keys.some((key) => key.kid === kid) === true;
      if (known !== undefined && ageMs < (hasKey ? keptMs : againMs)) return known.keys;
      const keys = await fetchKeys(wire, origin);
      if (kept.size >= originsMax) kept.clear();
      kept.set(origin, { keys, fetched: momentOf(clock) });
      return keys;
    },
  };
}

async function fetchKeys(wire: Wire, origin: string): Promise<readonly PublicJwk[]> {
  const response = await wire.send("merchant keys", `${origin}/.well-known/jwks.json`, { method: "GET" });
  if (!response.ok) throw new Problem("offer_keyid_unknown", { detail: "The merchant publishes no keys." });
  const keys = parseJwks(parseJson(await bytesOf(response), { refuse: "offer_keyid_unknown" }));
  if (keys === undefined)
    throw new Problem("offer_keyid_unknown", { detail: "The merchant's keys cannot be read." });
  return keys;
}
