/** The servers behind that an organization may name in an offer: `host:port` each, or any. */
export type OfferUpstreams = readonly string[] | "any";

/**
 * What an organization says of its upstream is a wish to have us call there, and all that this process reaches is not an
 * organization's to read (SSRF, W02). So the operator lists where offers may lead: exact pairs, judged by their names, which
 * leaves nothing to whoever owns a name to change later.
 */
export const reachOf =
  (allowed: OfferUpstreams = []) =>
  (upstream: string): boolean => {
    if (allowed === "any") return true;
    const { protocol, hostname, port } = new URL(upstream);
    return allowed.includes(`${hostname}:${port || (protocol === "https:" ? "443" : "80")}`);
  };

export const outOfReach = (upstream: string): string =>
  `${upstream} is none of the upstreams that the operator lets offers have (REMIT_OFFER_UPSTREAMS)`;
