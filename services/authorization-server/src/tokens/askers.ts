import type { Id } from "@remit/kernel";

/** Who asks about a token, or gives one back: an authenticated client, and what it has to do with tokens. */
export type Asker = {
  readonly client: string;
  /** The tenant whose tokens it may see all of, as its operator (scope `tokens:read`). */
  readonly operates: Id<"tenant"> | undefined;
  /** The tenant any of whose tokens it may end (scope `agents:write`): to read about a token is not to end it. */
  readonly mayEnd: Id<"tenant"> | undefined;
  /** A service of ours: what it asks about has passed its own checks, so it is no scanner. */
  readonly isPeer: boolean;
  /** Whether it is the resource server at this origin. */
  readonly serves: (origin: string) => Promise<boolean>;
};

/** The client as its authentication left it. */
export type AskingClient = {
  readonly id: string;
  readonly kind: string | undefined;
  readonly tenant: Id<"tenant">;
  readonly scopes: readonly string[];
};

type Deps = {
  readonly peers: readonly { readonly name: string; readonly origin: string }[];
  /** The directory's word on the origin of a merchant's client. */
  readonly merchants: { ofClient(client: string): Promise<{ readonly origin: string } | undefined> };
};

/**
 * What a client may see: its own tokens; as a resource server those that are meant for it (a service of ours by its
 * configured origin, a merchant by the directory's); as an operator those of its tenant.
 */
export const askerOf = ({ peers, merchants }: Deps, client: AskingClient): Asker => {
  const { id, kind, tenant, scopes } = client;
  const isPeer = kind === "peer";
  return {
    client: id,
    isPeer,
    operates: !isPeer && scopes.includes("tokens:read") ? tenant : undefined,
    mayEnd: !isPeer && scopes.includes("agents:write") ? tenant : undefined,
    serves: async (origin) => {
      if (isPeer) return peers.some((peer) => peer.name === id && peer.origin === origin);
      return kind === "merchant" && (await merchants.ofClient(id))?.origin === origin;
    },
  };
};

/** Whether a token is the asker's own, or of a client of the tenant that it operates. */
export const isBusinessOf = (
  { client, operates }: Asker,
  token: { readonly client: string; readonly tenant: Id<"tenant"> },
): boolean => token.client === client || (operates !== undefined && operates === token.tenant);

/** Whether the asker may end a token: its own, or one of a tenant in which it could as well suspend the agent. */
export const mayEndToken = (
  { client, mayEnd }: Asker,
  token: { readonly client: string; readonly tenant: Id<"tenant"> },
): boolean => token.client === client || (mayEnd !== undefined && mayEnd === token.tenant);
