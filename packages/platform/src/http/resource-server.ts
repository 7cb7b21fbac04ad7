import type { Clock, Instant } from "@remit/kernel";
import type { AccessTokenClaims } from "@remit/protocol";
import type { KeySource } from "../outbound/index.ts";
import type { Authenticate } from "./authenticate.ts";

export type ResourceServerOptions = {
  readonly issuer: string;
  /** Our origin. Compared exactly. */
  readonly audience: string;
  readonly keys: KeySource;
  /** True when the key was not claimed before: `(key, until) => db.global.transaction((tx) => claimFirstUse(tx, key, until))`. */
  readonly claim: (key: string, until: Instant) => Promise<boolean>;
  /** 32 bytes, equal in all processes of the service (`keyring.derive("dpop-nonce")`). Without it no nonce is asked for. */
  readonly nonceSecret?: Uint8Array;
  /** The database's word on token, agent, session. */
  readonly isRevoked?: (claims: AccessTokenClaims) => Promise<boolean>;
  readonly clock: Clock;
};

export declare function resourceServer(options: ResourceServerOptions): Authenticate;
