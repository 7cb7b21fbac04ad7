import type { Clock } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { cardRoutes } from "./cards/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { didRoutes } from "./dids/index.ts";
import { credentialTypeRoutes } from "./discovery/index.ts";
import { createKept } from "./documents/index.ts";
import { forwardMount } from "./forwards/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import { directoryAt, listingJobs } from "./listings/index.ts";
import { createOwnPeer } from "./own-peer.ts";
import { handedOutMs, signatureDirectoryRoutes } from "./signature-directories/index.ts";

type Publishing = {
  readonly config: AuthorizationServerConfig;
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly clock: Clock;
  /** To services of ours. */
  readonly outbound: Outbound;
  /** To hosts that tenants name. */
  readonly tenantOutbound: Outbound;
};

/** How many signed cards, and directories, are kept to be handed out again; some 4 KB each. */
const keptMax = 2_000;

/** Of this program, until its packages are published. */
const version = "0.1.0";

/**
 * Who the issuer and its agents are, for everybody: DID documents, cards, records, keys of their HTTP messages; and what the
 * directory is told of public agents.
 */
export async function mountPublishing(
  { config, db, clock, keys, outbound, tenantOutbound }: Publishing,
  { http, jobs }: { readonly http: Http; readonly jobs: Jobs },
): Promise<void> {
  const { issuer } = config;
  http.add(
    ...credentialTypeRoutes(issuer),
    ...didRoutes({ issuer, db, keys, outbound: tenantOutbound }),
    ...cardRoutes({ issuer, db, keys, version, signed: createKept({ clock, max: keptMax }) }),
    ...signatureDirectoryRoutes({
      issuer,
      db,
      keys,
      signed: createKept({ clock, max: keptMax, ageMs: handedOutMs }),
    }),
  );
  for (const [path, origin] of Object.entries(config.forward ?? {}))
    http.mount(forwardMount({ path, origin }, outbound));
  const peer = await createOwnPeer({ config, clock, keys, outbound });
  listingJobs(jobs, { db, keys, issuer, directory: directoryAt(peer, config.directory) });
}
