import type { Clock } from "@remit/kernel";
import type { Http, RawPair } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { answeringPages } from "./answering/index.ts";
import { type Approval, type Approvals, approvalJobs, approvalRoutes } from "./approvals/index.ts";
import { nameOfAgent } from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { deviceJobs } from "./device/index.ts";
import type { Artifacts } from "./grants/index.ts";
import { type Core, createAccountAccess, openedBy, outcomeJobs, pingJobs } from "./oidc/index.ts";
import type { People } from "./people.ts";
import type { Sessions } from "./sessions/index.ts";
import type { Waiting } from "./waiting/index.ts";

type Asking = {
  readonly config: Pick<AuthorizationServerConfig, "issuer" | "livemode" | "peers">;
  readonly db: Database;
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly http: Http;
  readonly jobs: Jobs;
  readonly people: People;
  readonly sessions: Sessions;
  readonly artifacts: Artifacts;
  readonly approvals: Approvals;
  readonly waiting: Waiting;
  readonly core: Core;
};

/** What agents without a browser ask, and where people answer. */
export function mountAsking({ http, jobs, people, approvals, waiting, core, ...grounds }: Asking): void {
  const { db, clock, artifacts, outbound, sessions } = grounds;
  const { issuer, livemode, peers } = grounds.config;
  const wallet = peers["portal"];
  const { accounts, factors } = people;
  const access = createAccountAccess({ issuer, clock, accounts, sessions, provider: core.provider });
  const opened = (raw: RawPair) => openedBy(core.provider(), raw);
  const nameOf = ({ agent }: Approval): Promise<string> => nameOfAgent(db, agent);
  http.add(
    ...approvalRoutes({ db, clock, livemode, approvals, waiting, factors, nameOf }),
    ...answeringPages({ ...people, livemode, approvals, nameOf, access, opened, wallet }),
  );
  approvalJobs(jobs, approvals);
  pingJobs(jobs, { db, artifacts, approvals, outbound });
  outcomeJobs(jobs, { db, clock, artifacts, approvals, provider: core.provider });
  deviceJobs(jobs, { db, clock });
}
