import { systemClock } from "@remit/kernel";
import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { createJobs } from "@remit/platform/jobs";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createOutbound } from "@remit/platform/outbound";
import { openDatabase } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import type { PrivateJwk } from "@remit/protocol";
import { approvalJobs } from "../../src/approvals/index.ts";
import { chargeJobs, tabJobs } from "../../src/charges/index.ts";
import { openApi } from "./api.ts";
import { testKeys } from "./keys.ts";
import { createRooms, recordingBy } from "./rooms.ts";

/** What another process needs to decide about money of a world of the test. */
export type Given = {
  readonly url: string;
  readonly schema: string;
  readonly relayRole: string;
  readonly keys: Readonly<Record<string, PrivateJwk>>;
  /** What is sealed by one process is opened by the next. */
  readonly kek: string;
  readonly billing: string;
  readonly directory: string;
  readonly leaseMs: number;
};

// The test that starts this process writes it.
const given = JSON.parse(process.env["CHARGER"] ?? "{}") as Given;
setFailpoint(failpointOf(process.env["REMIT_FAILPOINT"], process.env["NODE_ENV"]));
const clock = systemClock;
const log = createLog({ service: "test", level: "error" });
const db = openDatabase({
  url: given.url,
  schema: given.schema,
  relayRole: given.relayRole,
  poolMax: 12,
  waitMsMax: 60_000,
  ...recordingBy(clock),
});
const { billing, directory, leaseMs } = given;
const rooms = createRooms({
  db,
  clock,
  log,
  keys: testKeys(given.keys),
  keyring: createKeyring({ kek: kekOf(Buffer.from(given.kek, "base64url")), clock }),
  outbound: createOutbound({ allow: [billing, directory].map((at) => new URL(at).host), log }),
  billing,
  directory,
  leaseMs,
});
const jobs = createJobs({ db, log, clock, leaseMs: 2_000 });
chargeJobs(jobs, rooms.charges);
tabJobs(jobs, { ...rooms.chargesDeps, besides: async () => {} });
approvalJobs(jobs, rooms.approvals);
await jobs.start();
const { origin } = await openApi(rooms);
process.stdout.write(`listens at ${origin}\n`);
