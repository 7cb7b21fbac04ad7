import { minuteMs, parseId, secondMs } from "@remit/kernel";
import type { Again, Job, Jobs } from "@remit/platform/jobs";
import { Problem } from "@remit/protocol";
import { type LogoutDue, logoutQueue } from "./ending.ts";
import { deliverLogout, type LogoutPorts } from "./logout.ts";

const attemptsMax = 6;
const concurrency = 16;
const busyMs = secondMs;
const backoff = [5 * secondMs, 30 * secondMs, 2 * minuteMs, 10 * minuteMs, 30 * minuteMs] as const;

/**
 * Tells clients that sessions have ended. One request at a time to each client: what one of them lets wait takes no place
 * from the others (W07).
 */
export function logoutJobs(jobs: Jobs, ports: LogoutPorts): Jobs {
  const busy = new Set<string>();
  return jobs.on(logoutQueue, {
    attemptsMax,
    concurrency,
    backoff: (attempt) => backoff[attempt - 1] ?? 30 * minuteMs,
    handle: (job) => tell(ports, job, busy),
  });
}

// biome-ignore lint/suspicious/noConfusingVoidType: a job that is done returns nothing
async function tell(ports: LogoutPorts, { payload }: Job, busy: Set<string>): Promise<void | Again> {
  const due = dueOf(payload);
  if (due === undefined) return undefined;
  if (busy.has(due.client)) return { restMs: busyMs };
  busy.add(due.client);
  try {
    const delivery = await deliverLogout(ports, due);
    ports.log.info({ client: due.client, delivery }, "back-channel logout");
    if (delivery === "again")
      throw new Problem("outbound_failed", { private: { client: due.client, why: "not told yet" } });
  } finally {
    busy.delete(due.client);
  }
  return undefined;
}

/** The job as we wrote it; one of another version is let go. */
function dueOf(payload: unknown): LogoutDue | undefined {
  const { sid, client, account } = Object(payload);
  const person = parseId("account", account);
  if (typeof sid !== "string" || typeof client !== "string" || person === undefined) return undefined;
  return { sid, client, account: person };
}
