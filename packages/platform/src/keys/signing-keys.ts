import type { Clock, Instant } from "@remit/kernel";
import type { PublicJwk } from "@remit/protocol";
import type { Database, GlobalTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import type { Kek } from "./kek.ts";

export type KeyPurpose = {
  readonly purpose: string;
  readonly alg: "ES256" | "EdDSA";
  /** Signatures that must verify for ever (receipts, mandates, audit): the public key is never removed. */
  readonly evidence?: boolean;
  /** How long the longest-lived signature must verify after its key retired. */
  readonly tokenLifeMsMax: number;
};

/** A public key and the time in which its signatures count. */
export type PublishedKey = {
  readonly jwk: PublicJwk;
  readonly state: "next" | "current" | "retired" | "removed";
  readonly notBefore: Instant;
  readonly notAfter?: Instant;
};

export type KeyChange = {
  readonly purpose: string;
  readonly kid: string;
  readonly state: "next" | "current" | "retired" | "removed";
  readonly at: Instant;
};

export type SigningKeysOptions = {
  readonly db: Database;
  readonly kek: Kek;
  readonly clock: Clock;
  readonly log: Log;
  readonly purposes: readonly KeyPurpose[];
  /** Runs in the transaction of each change of state, so that the issuer's log can hold it. */
  readonly recordChange?: (tx: GlobalTx, change: KeyChange) => Promise<void>;
};

export type SigningKeys = {
  /** Makes the first keys when there are none, and reads all. Call before anything else, and after a migration. */
  load(): Promise<void>;
  /** A compact JWS by the current key of the purpose; `alg` and `kid` are set here. Synchronous. */
  sign(
    purpose: string,
    header: { readonly typ: string; readonly [member: string]: unknown },
    payload: object,
  ): string;
  /** The kid and alg that `sign` would use now. */
  currentKey(purpose: string): {
    readonly kid: string;
    readonly alg: "ES256" | "EdDSA";
    readonly jwk: PublicJwk;
  };
  /** For `jwks_uri`: next, current and retired keys of every purpose (or of the given ones). */
  jwks(purposes?: readonly string[]): { readonly keys: readonly PublicJwk[] };
  /** All keys of a purpose that is evidence, removed ones too, with their time. */
  publicKeys(purpose: string): readonly PublishedKey[];
  /** Publishes a next key; it signs from 300 s later on. */
  rotate(purpose: string): Promise<KeyChange>;
  /** Moves keys whose time has come, and sees what other processes did. Run it every 30 s and on NOTIFY. */
  reload(): Promise<void>;
};

export declare function createSigningKeys(options: SigningKeysOptions): SigningKeys;
