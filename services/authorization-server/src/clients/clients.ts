import type { Id, Instant } from "@remit/kernel";
import type { PublicJwk } from "@remit/protocol";
import type { Database } from "@remit/platform/sql";

export type ClientKind = "agent" | "merchant" | "admin" | "peer" | "wallet";

/** Who may ask for tokens. An agent's client id is its agent id; a peer's is its service's name. */
export type Client = {
  readonly id: string;
  readonly tenant: Id<"tenant">;
  readonly kind: ClientKind;
  readonly name: string;
  readonly live: boolean;
  readonly redirectUris: readonly string[];
  readonly assertionKeys: readonly PublicJwk[];
  /** The one key its tokens may be bound to; undefined when it may choose (peers) or is a bearer (admin). */
  readonly dpopThumbprint: string | undefined;
  readonly secretDigest: Uint8Array | undefined;
  readonly createdAt: Instant | undefined;
};

export type ClientsDeps = { readonly db: Database };

export type Clients = { byId(id: string): Promise<Client | undefined> };

/** The client of an id, whoever's it is; undefined when unknown. */
export declare function clientById(db: Database, id: string): Promise<Client | undefined>;
export declare function createClients(deps: ClientsDeps): Clients;
