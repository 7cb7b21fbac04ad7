import type { Id, Instant } from "@remit/kernel";
import { type Caller, platformTenant } from "@remit/platform/http";
import { isOfStream, Problem, type SignalName, signalNames, signalTypes } from "@remit/protocol";
import { pollMethod, pushMethod, type StreamStatus } from "@remit/protocol/contracts";

/** What one receiver hears. */
export type Stream = {
  readonly id: Id<"stream">;
  readonly tenant: Id<"tenant">;
  /** Who asked for it: the `aud` of an organization's is this client. */
  readonly client: string;
  /** A service of ours hears of every organization. */
  readonly wide: boolean;
  readonly audience: string;
  /** URIs as they were asked for; undefined: all that it can hear. */
  readonly requested: readonly string[] | undefined;
  /** Undefined of a stream that is polled. */
  readonly endpoint: string | undefined;
  readonly description: string | undefined;
  readonly status: StreamStatus;
  readonly reason: string | undefined;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
};

/** How many streams an organization has at most. */
export const streamsMax = 20;
/** Between two verifications that a receiver asks for (SSF 1.0 §8.1.4.2). */
export const verificationIntervalS = 5;

const widely = ["oid4ac.dispute.", "oid4ac.mandate.", "oid4ac.payment."];
const askable = signalNames.filter((name) => !isOfStream(name));
const heardWidely = askable.filter((name) => widely.some((family) => name.startsWith(family)));

/** What a stream can hear: of all organizations only what their money does. */
export const supportedBy = ({ wide }: Pick<Stream, "wide">): readonly SignalName[] =>
  wide ? heardWidely : askable;

/** What it does hear: what was asked for, as far as it can be heard (SSF 1.0 §8.1.1). */
export const deliveredTo = ({ wide, requested }: Pick<Stream, "wide" | "requested">): readonly SignalName[] =>
  supportedBy({ wide }).filter((name) => requested?.includes(signalTypes[name]) ?? true);

export const methodOf = ({ endpoint }: Pick<Stream, "endpoint">) =>
  endpoint === undefined ? pollMethod : pushMethod;

/** Services of ours stand in the platform's tenant, and each hears its own streams alone. */
export const isWide = ({ tenant, actor }: Caller): boolean =>
  tenant === platformTenant && actor.type === "service";

export const unknownStream = (): Problem => new Problem("not_found", { detail: "There is no such stream." });

/** The tables of this room. */
export const signalTables = {
  signal_streams: "tenant",
  signals: "tenant",
  signal_silences: "tenant",
  signal_lanes: "global",
  signals_told: "global",
} as const;
