import type { PeerAnswer } from "@remit/platform/peers";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import type { Host, Tenant } from "./world.ts";

export const serve = (host: Host, ...keys: PrivateJwk[]): void => {
  host.pages.set("/.well-known/jwks.json", {
    status: 200,
    body: JSON.stringify({ keys: keys.map(publicJwkOf) }),
  });
};

/** What the origin says of itself: these merchants, by these clients, may speak for it. */
export const name = (host: Host, ...named: object[]): void => {
  host.pages.set("/.well-known/oid4ac-merchant", { status: 200, body: merchants(...named) });
};

export const register = (tenant: Tenant, host: Host, more: object = {}): Promise<PeerAnswer> =>
  tenant.call("POST", "/api/v1/merchants", registration(tenant, host, more));

export const idIn = ({ body }: PeerAnswer): string => (body as { id: string }).id; // the answer of a registration

export const verify = (tenant: Tenant, id: string): Promise<PeerAnswer> =>
  tenant.call("POST", `/api/v1/merchants/${id}/verify`);

/** The whole way of an owner: register, let the origin name the merchant, verify. */
export async function settle(tenant: Tenant, host: Host, more: object = {}): Promise<PeerAnswer> {
  const id = idIn(await register(tenant, host, more));
  name(host, { id, client_id: tenant.client });
  return verify(tenant, id);
}

export const merchants = (...named: object[]): string => JSON.stringify({ merchants: named });

const registration = (tenant: Tenant, host: Host, more: object = {}): object => ({
  display_name: "The shop",
  origin: host.origin,
  client_id: tenant.client,
  jwks_uri: `${host.origin}/.well-known/jwks.json`,
  country: "NL",
  currencies: ["EUR", "USD"],
  categories: ["books"],
  rails: ["card"],
  ...more,
});
