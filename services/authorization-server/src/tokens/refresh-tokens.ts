import type { Id } from "@remit/kernel";
import type { Actor } from "@remit/protocol";

/** Whose a refresh token is. */
export type TokenOwner = {
  readonly client: string;
  /** The tenant that the access tokens it yields are of. */
  readonly tenant: Id<"tenant">;
};

/** A refresh token that may be used now: not used before, not expired, its grant, client and agent in good standing. */
export type LiveRefreshToken = TokenOwner & {
  /** Absent for an agent: it knows its principal by another name at each merchant. */
  readonly account?: Id<"account">;
  readonly mandate?: Id<"mandate">;
  readonly scope?: string;
  readonly jkt?: string;
  /** Seconds. */
  readonly iat: number;
  readonly exp: number;
};

/** What this room needs of refresh tokens, which the room of grants keeps. */
export type RefreshTokens = {
  /** What the database says of it; undefined when it is good for nothing. */
  findLive(token: string): Promise<LiveRefreshToken | undefined>;
  /** Ends the family of a refresh token, used or not, when its owner is one for whom `mayEnd`. */
  endFamilyOf(
    token: string,
    by: { readonly actor: Actor; readonly mayEnd: (owner: TokenOwner) => boolean },
  ): Promise<void>;
};
