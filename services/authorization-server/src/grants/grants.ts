import { after, dayMs, type Id, type Instant } from "@remit/kernel";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { revokeTokens } from "../tokens/index.ts";
import { deleteArtifactsOf } from "./artifacts.sql.ts";
import * as rows from "./grants.sql.ts";

/** What a person granted to a client at once: the family of a code, its tokens, and perhaps a mandate. */
export type Grant = {
  /** SHA-256 of the grant's id; the id itself is kept nowhere in clear. Stands in tokens as `grant_id`. */
  readonly digest: string;
  readonly client: string;
  readonly account: Id<"account">;
  /** The principal's tenant. */
  readonly tenant: Id<"tenant">;
  readonly mandate: Id<"mandate"> | undefined;
  /** The session it was given in, and whether it outlives it: a mandate and offline access do, a person's tokens do not. */
  readonly session: { readonly sid: string; readonly outlives: boolean } | undefined;
  readonly scopes: readonly string[];
  readonly revoked: boolean;
};

/** What counts once: a code of any kind, or a refresh token, that came back after it was used. */
export type Replayed =
  | "AuthorizationCode"
  | "BackchannelAuthenticationRequest"
  | "DeviceCode"
  | "RefreshToken";

/** Ends what a mandate allows; the mandates room's part of a cascade. */
export type MandatePort = {
  readonly revokeWithin: (tx: TenantTx, id: Id<"mandate">, why: Why) => Promise<unknown>;
  readonly suspendWithin: (tx: TenantTx, id: Id<"mandate">, why: Why) => Promise<unknown>;
};
type Why = { because: string; actor: Actor };

/** Ends a session; the sessions room's part of a cascade. */
export type SessionPort = {
  readonly lockWithin: (tx: TenantTx, sid: string) => Promise<unknown>;
  readonly endWithin: (
    tx: TenantTx,
    end: { sid: string; because: "security"; actor: Actor; now: Instant },
  ) => Promise<unknown>;
};

/** How long a refresh-token family can live, and with it the memory of its codes and revocations. */
export const familyMs = 30 * dayMs;

export const digestOf = (id: string): string => sha256b64url(id);

/** Writes the grant in the principal's tenant, in the transaction of the consent. */
export const openGrant = (
  tx: TenantTx,
  grant: Omit<Grant, "revoked" | "tenant">,
  now: Instant,
): Promise<void> => rows.insertGrant(tx, { ...grant, tenant: tx.tenant }, now);

/** The grant of a digest; undefined when unknown. */
export const grantOf = (tx: Sql, digest: string): Promise<Grant | undefined> => rows.findGrant(tx, digest);

/** Whether a person has granted anything to a client that still stands; a grant lives as long as a family. */
export const hasGranted = (
  tx: Sql,
  { account, client, now }: { account: Id<"account">; client: string; now: Instant },
): Promise<boolean> => rows.hasGrant(tx, { account, client, since: after(now, -familyMs) });

/**
 * Ends a family at once: its codes and refresh tokens go, its access tokens are refused, and after a replay the
 * mandate is revoked (code) or suspended (refresh token: the principal may resume it). What ends with its session is a
 * person's own: after the replay of such a refresh token the session ends too (A10), whoever has it. One transaction;
 * repeating it changes nothing.
 */
export async function endFamily(
  { db, mandates, ending }: { db: Database; mandates: MandatePort; ending?: SessionPort },
  end: { digest: string; replayed?: Replayed | undefined; actor?: Actor; now: Instant },
): Promise<void> {
  const grant = await db.global.transaction((tx) => grantOf(tx, end.digest));
  if (grant === undefined) return;
  const sid =
    end.replayed === "RefreshToken" && grant.session?.outlives === false ? grant.session.sid : undefined;
  await db.of(grant.tenant).transaction(async (tx) => {
    // Locks go session, grant, as wherever a session ends.
    if (sid !== undefined) await ending?.lockWithin(tx, sid);
    if (!(await rows.markRevoked(tx, { digest: grant.digest, now: end.now }))) return;
    await deleteArtifactsOf(tx, grant.digest);
    const revoke = () => revokeTokens(tx, `grant:${grant.digest}`, after(end.now, familyMs));
    const actor: Actor = end.actor ?? { type: "client", id: grant.client };
    if (end.replayed === undefined) {
      const facts = { tenant: grant.tenant, actor, subject: grant.digest };
      await revoke();
      return tx.record(newEvent("token.revoked", facts, end.now));
    }
    const code = end.replayed !== "RefreshToken";
    const because = code ? "code_replay" : "refresh_replay";
    const payload = { grant: grant.digest, mandate: grant.mandate ?? null };
    const facts = { tenant: grant.tenant, actor, subject: grant.client, payload };
    await tx.record(newEvent(`security.${because}`, facts, end.now));
    const why: Why = { because, actor: { type: "system", id: "authorization-server" } };
    if (grant.mandate !== undefined)
      await (code ? mandates.revokeWithin : mandates.suspendWithin)(tx, grant.mandate, why);
    // Locks go mandate, token, as at the commit point of a charge.
    await revoke();
    if (sid !== undefined)
      await ending?.endWithin(tx, { sid, because: "security", actor: why.actor, now: end.now });
  });
}
