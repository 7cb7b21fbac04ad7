import { type Clock, hourMs, type Id, type Instant, instantOf, minuteMs, newId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import { randomText, sha256b64url } from "@remit/protocol/node";
import * as rows from "./sessions.sql.ts";

/** How long a session lives unused, and at most; how seldom its use is written down. */
export const idleMs = 30 * minuteMs;
export const absoluteMs = 12 * hourMs;
const seenEveryMs = minuteMs;

/** The tokens of a session. They never leave this service. */
export type Tokens = {
  readonly refresh: string;
  /** For the issuer when the person signs out (OIDC RP-Initiated Logout 1.0 §2: `id_token_hint`). */
  readonly idToken: string;
  /** By the origin of the service that each is for. */
  readonly access: Readonly<Record<string, { readonly token: string; readonly until: Instant }>>;
};

/** Who is signed in, as their ID token said. */
export type Person = {
  readonly account: string;
  readonly name: string;
  readonly email: string;
  readonly acr: string;
  readonly signedInAt: Instant;
};

export type PortalSession = {
  readonly id: Id<"session">;
  readonly digest: string;
  readonly sid: string;
  readonly generation: number;
  readonly person: Person;
  readonly tokens: Tokens;
};

export type NewSession = { readonly sid: string; readonly person: Person; readonly tokens: Tokens };

export type Sessions = {
  /** Opens a session and hands out the browser's secret, which is kept nowhere. The one it takes the place of ends. */
  open(session: NewSession, replaces: string | undefined): Promise<string>;
  /** The session of a browser's secret, while it lives; its use is noted. */
  find(secret: string): Promise<PortalSession | undefined>;
  /** The same, and nothing is noted: whoever only looks does not keep it alive. */
  look(secret: string): Promise<PortalSession | undefined>;
  /** As it stands now: another request may have refreshed its tokens. */
  again(session: PortalSession): Promise<PortalSession | undefined>;
  /** Keeps refreshed tokens. False when somebody else has kept theirs since. */
  keep(session: PortalSession, tokens: Tokens): Promise<boolean>;
  end(session: PortalSession): Promise<void>;
  /** All of one session at the issuer, or of one person (Back-Channel Logout 1.0 §2.6). */
  endAll(of: { readonly sid: string } | { readonly account: string }): Promise<number>;
};

type Deps = { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock };
type Sealed = { readonly person: Person; readonly tokens: Tokens };

const scope = "portal-sessions";

export function createSessions({ db, keyring, clock }: Deps): Sessions {
  const seal = async (id: Id<"session">, content: Sealed): Promise<Uint8Array> => {
    const message = { plaintext: new TextEncoder().encode(JSON.stringify(content)), aad: id };
    return (
      keyring.sealRemembered(scope, message) ??
      db.global.transaction((tx) => keyring.seal(tx, scope, message))
    );
  };
  const unseal = async (row: rows.SessionRow): Promise<PortalSession | undefined> => {
    const message = { sealed: row.sealed, aad: row.id };
    const bytes =
      keyring.openRemembered(scope, message) ??
      (await db.global.transaction((tx) => keyring.open(tx, scope, message)));
    if (bytes === undefined) return undefined;
    // Sealed by this room alone.
    const { person, tokens } = JSON.parse(new TextDecoder().decode(bytes)) as Sealed;
    const { id, digest, sid, generation } = row;
    return { id, digest, sid, generation, person, tokens };
  };
  const limits = () => {
    const now = clock.now();
    return { seenAfter: instantOf(now - idleMs), signedInAfter: instantOf(now - absoluteMs) };
  };
  return {
    async open({ sid, person, tokens }, replaces) {
      const [secret, id, now] = [randomText() + randomText(), newId("session"), clock.now()];
      const sealed = await seal(id, { person, tokens });
      const row = { digest: sha256b64url(secret), id, account: person.account, sid, sealed, now };
      await db.global.transaction(async (tx) => {
        await rows.insertSession(tx, row);
        if (replaces !== undefined) await rows.deleteSession(tx, sha256b64url(replaces));
      });
      return secret;
    },
    async find(secret) {
      const row = await rows.readSession(db.single, sha256b64url(secret), limits());
      if (row === undefined) return undefined;
      const now = clock.now();
      if (row.lastSeenAt <= now - seenEveryMs) await rows.sawSession(db.single, row.digest, now);
      return unseal(row);
    },
    async look(secret) {
      const row = await rows.readSession(db.single, sha256b64url(secret), limits());
      return row === undefined ? undefined : unseal(row);
    },
    async again(session) {
      const row = await rows.readSession(db.single, session.digest, limits());
      return row === undefined ? undefined : unseal(row);
    },
    async keep({ id, digest, generation, person }, tokens) {
      const sealed = await seal(id, { person, tokens });
      return rows.saveTokens(db.single, { digest, generation, sealed });
    },
    end: ({ digest }) => rows.deleteSession(db.single, digest),
    endAll: (of) => rows.deleteSessionsOf(db.single, "sid" in of ? { sid: of.sid } : { account: of.account }),
  };
}
