import type { Http } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { cardRoutes } from "./cards/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { didRoutes } from "./dids/index.ts";
import { credentialTypeRoutes } from "./discovery/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import { signatureDirectoryRoutes } from "./signature-directories/index.ts";

type Publishing = {
  readonly config: AuthorizationServerConfig;
  readonly db: Database;
  readonly keys: IssuerKeys;
  /** To hosts that tenants name. */
  readonly outbound: Outbound;
  readonly http: Http;
};

/** Of this program, until its packages are published. */
const version = "0.1.0";

/** Who the issuer and its agents are, for everybody: DID documents, cards, records, keys of their HTTP messages. */
export function mountPublishing({ config, db, keys, outbound, http }: Publishing): void {
  const { issuer } = config;
  http.add(
    ...credentialTypeRoutes(issuer),
    ...didRoutes({ issuer, db, keys, outbound }),
    ...cardRoutes({ issuer, db, keys, version }),
    ...signatureDirectoryRoutes({ issuer, db, keys }),
  );
}
