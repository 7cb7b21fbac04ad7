import path from "node:path";
import type { Clock } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import { mailEngine } from "@remit/platform/mail";
import { createOutbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import type { WalletConfig } from "./config.ts";
import {
  createNotices,
  createPushSender,
  type Notices,
  noticeJobs,
  noticesRoute,
  pushKeyOf,
} from "./notices/index.ts";
import type { Sessions } from "./sessions/index.ts";

type Noticing = {
  readonly config: WalletConfig;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Log;
  readonly http: Http;
  readonly jobs: Jobs;
  readonly sessions: Pick<Sessions, "endAll">;
};

/** How people are told of what waits while no page of theirs is open. */
export function mountNotices({ config, db, keyring, clock, log, http, jobs, sessions }: Noticing): {
  readonly notices: Notices;
  close(): Promise<void>;
} {
  const { origin, smtp, dataDir } = config;
  // A browser says where its push service is: what our own door reaches inside is not reached through this one (W01).
  const outbound = createOutbound({ allow: config.pushAllow ?? [], log, clock });
  const inbox = path.join(dataDir, "mail");
  const pushKey = pushKeyOf(keyring);
  // RFC 8292 §2.1: an https or a mailto address.
  const subject = origin.startsWith("https:") ? origin : "mailto:remit@localhost";
  const push = createPushSender({ pushKey, subject, outbound, clock });
  const carried = smtp === undefined ? inbox : undefined;
  const endSessions = sessions.endAll;
  const notices = createNotices({ db, keyring, clock, pushKey, outbound, inbox: carried, endSessions });
  noticeJobs(jobs, { db, keyring, clock, mail: mailEngine(smtp, inbox), push, origin });
  http.add(noticesRoute(notices));
  return { notices, close: () => outbound.close() };
}
