import { minuteMs, secondMs } from "@remit/kernel";
import type { Jobs } from "../jobs/index.ts";
import { unreadForS } from "../outbox/index.ts";
import type { Database } from "../sql/index.ts";
import type { Metrics } from "../telemetry/index.ts";
import { consumer, forwardEvents } from "./forward-events.ts";
import type { Peer } from "./peers.ts";

/** How what a service recorded comes to the issuer's logs. Nothing is lost while it does not. */
export type ForwardingState = {
  readonly status: "ok" | "late";
  /** Age of the first event that was not brought there; 0 when none waits. */
  readonly oldest_unsent_s: number;
  readonly remedy: string | null;
};

export type Forwarding = {
  readonly state: () => Promise<ForwardingState>;
  readonly mount: (jobs: Jobs) => void;
};

type Deps = {
  readonly db: Database;
  readonly peer: Peer;
  readonly issuer: string;
  readonly metrics: Metrics;
};

/** What an issuer that restarts keeps waiting is not worth a word; what waits longer somebody should look at. */
const lateS = (3 * minuteMs) / secondMs;

/** Brings events to the issuer, and tells how far behind that is, by a gauge and in words. */
export function createForwarding({ db, peer, issuer, metrics }: Deps): Forwarding {
  const oldest = (): Promise<number> => unreadForS(db.relay, consumer);
  metrics.measured(
    "events_unsent_age_seconds",
    "Age of the first recorded event that has not been brought to the issuer's logs.",
    oldest,
  );
  return {
    state: async () => {
      const seconds = Math.round(await oldest());
      const late = seconds > lateS;
      return {
        status: late ? "late" : "ok",
        oldest_unsent_s: seconds,
        remedy: late
          ? `Nothing is lost. Look whether ${issuer} answers, and what this service logs of events.forward.`
          : null,
      };
    },
    mount: (jobs) => void jobs.every("events.forward", secondMs, forwardEvents({ db, peer, issuer })),
  };
}
