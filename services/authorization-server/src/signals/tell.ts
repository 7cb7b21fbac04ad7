import { type Id, type Instant, newId } from "@remit/kernel";
import type { Tx } from "@remit/platform/sql";
import type { SignalName, SubjectId } from "@remit/protocol";
import { signalsChannel } from "../lanes/index.ts";
import { spellingsOf } from "./subjects.ts";
import { tellSignals } from "./tell.sql.ts";

/** One thing to tell on one stream. */
export type ToTell = {
  readonly tenant: Id<"tenant">;
  readonly stream: Id<"stream">;
  /** The event that it tells of; it is one of its own when there is none. */
  readonly txn?: string;
  readonly name: SignalName;
  readonly subject: SubjectId;
  readonly data: { readonly [name: string]: unknown };
};

/** Gives each its place in its stream, in this transaction: they are told if it commits, and never twice. */
export async function tell(tx: Tx, signals: readonly ToTell[], now: Instant): Promise<void> {
  const given = signals.map((signal) => ({
    ...signal,
    jti: newId("signal"),
    txn: signal.txn ?? newId("event"),
    spellings: spellingsOf(signal.subject),
  }));
  for (const stream of await tellSignals(tx, given, now)) tx.notify(signalsChannel, stream);
}
