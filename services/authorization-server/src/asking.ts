import type { Clock, Id } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { answeringPages } from "./answering/index.ts";
import { type Approval, type Approvals, approvalJobs, approvalRoutes } from "./approvals/index.ts";
import { clientById } from "./clients/index.ts";
import { deviceJobs } from "./device/index.ts";
import type { Artifacts } from "./grants/index.ts";
import { type Core, openedBy, pingJobs } from "./oidc/index.ts";
import type { People } from "./people.ts";

type Asking = {
  readonly db: Database;
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly http: Http;
  readonly jobs: Jobs;
  readonly people: People;
  readonly artifacts: Artifacts;
  readonly approvals: Approvals;
  readonly core: Core;
};

/** What agents without a browser ask, and where people answer. */
export function mountAsking({ http, jobs, people, approvals, core, ...grounds }: Asking): void {
  const { db, clock, artifacts, outbound } = grounds;
  const nameOf = ({ agent }: Approval): Promise<string> => nameOfAgent(db, agent);
  http.add(
    ...approvalRoutes({ db, clock, approvals, factors: people.factors, nameOf }),
    ...answeringPages({ ...people, approvals, nameOf, opened: (raw) => openedBy(core.provider(), raw) }),
  );
  approvalJobs(jobs, approvals);
  pingJobs(jobs, { db, artifacts, approvals, outbound });
  deviceJobs(jobs, { db, clock });
}

/** As its owner wrote it. An agent is never forgotten. */
const nameOfAgent = async (db: Database, id: Id<"agent">): Promise<string> =>
  (await clientById(db, id))?.name ?? id;
