import { type Clock, type Id, parseId, toNumericDate } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { LiveRefreshToken, RefreshTokens, TokenOwner } from "../tokens/index.ts";
import type { Artifacts, Found } from "./artifacts.ts";
import { digestOf, endFamily, type Grant, grantOf, type MandatePort } from "./grants.ts";

/** What is known of a client here: whose it is, and whether it may act now. */
type KnownClient = {
  readonly tenant: Id<"tenant">;
  readonly live: boolean;
  readonly dpopThumbprint: string | undefined;
};

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly artifacts: Artifacts;
  readonly mandates: MandatePort;
  readonly clientOf: (id: string) => Promise<KnownClient | undefined>;
};

/** Refresh tokens as introspection and revocation see them. */
export const createRefreshTokens = (deps: Deps): RefreshTokens => ({
  findLive: (token) => findLive(deps, token),
  endFamilyOf: async (token, { actor, mayEnd }) => {
    const found = await find(deps, token);
    if (found === undefined) return endOpaque(deps, token, mayEnd);
    if (!mayEnd(found.owner)) return;
    await endFamily(deps, { digest: found.grant.digest, actor, now: deps.clock.now() });
  },
});

type KnownToken = {
  readonly token: Found;
  readonly grant: Grant;
  readonly client: KnownClient;
  readonly owner: TokenOwner;
};

/** A token for userinfo is one word too, and ends alone (RFC 7009 §2.1). */
async function endOpaque(deps: Deps, text: string, mayEnd: (owner: TokenOwner) => boolean): Promise<void> {
  const found = await find(deps, text, "AccessToken");
  if (found !== undefined && mayEnd(found.owner)) await deps.artifacts.destroy("AccessToken", text);
}

async function find(
  { db, artifacts, clientOf }: Deps,
  text: string,
  model = "RefreshToken",
): Promise<KnownToken | undefined> {
  const token = await artifacts.find(model, text);
  const { grantId } = token?.payload ?? {};
  if (token === undefined || typeof grantId !== "string") return undefined;
  const grant = await db.global.transaction((tx) => grantOf(tx, digestOf(grantId)));
  const client = grant === undefined ? undefined : await clientOf(grant.client);
  if (grant === undefined || client === undefined) return undefined;
  return { token, grant, client, owner: ownerOf(grant, client) };
}

/** As the claims of its access tokens say: an agent's are of the agent's tenant, a person's of the person's. */
const ownerOf = ({ client, tenant }: Grant, known: KnownClient): TokenOwner => ({
  client,
  tenant: isAgent(client) ? known.tenant : tenant,
});

const isAgent = (client: string): boolean => parseId("agent", client) !== undefined;

async function findLive(deps: Deps, text: string): Promise<LiveRefreshToken | undefined> {
  const found = await find(deps, text);
  if (found === undefined) return undefined;
  const { token, grant, client, owner } = found;
  const { iat, exp, jkt, scope } = token.payload;
  if (typeof iat !== "number" || typeof exp !== "number") return undefined;
  if (token.consumedAt !== undefined || exp <= toNumericDate(deps.clock.now())) return undefined;
  if (grant.revoked || !client.live) return undefined;
  if (isAgent(owner.client) && (jkt === undefined || jkt !== client.dpopThumbprint)) return undefined;
  return {
    ...owner,
    iat,
    exp,
    ...(isAgent(owner.client) ? {} : { account: grant.account }),
    ...(grant.mandate === undefined ? {} : { mandate: grant.mandate }),
    ...(typeof scope === "string" ? { scope } : {}),
    ...(typeof jkt === "string" ? { jkt } : {}),
  };
}
