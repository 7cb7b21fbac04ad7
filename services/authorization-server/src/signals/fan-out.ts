import { type Clock, type Id, minuteMs, parseId } from "@remit/kernel";
import type { Asking, Follower } from "@remit/platform/jobs";
import { followOutbox, isAfter, type Position, type Recorded, readOutbox } from "@remit/platform/outbox";
import type { Database, Sql } from "@remit/platform/sql";
import { signalTypes } from "@remit/protocol";
import { tenantsOfCharges } from "../charges/index.ts";
import { type SaidTo, saidOfPeople } from "./people.ts";
import { type Said, saidBy } from "./said.ts";
import { supportedBy } from "./streams.ts";
import * as rows from "./tell.sql.ts";
import { type ToTell, tell } from "./tell.ts";

export type FanOutDeps = { readonly db: Database; readonly clock: Clock; readonly issuer: string };

const consumer = "signals";
const batchMax = 500;
/** A reader that died keeps others waiting for so long. */
const leaseMs = 3_000;
/** Clocks differ a little: an event this much older than a stream is still told on it. */
const slackMs = minuteMs;

/** Turns events into signals, each with its place in every stream that hears it. Whoever reads, it happens once. */
export const fanOut = (deps: FanOutDeps, asking: Pick<Asking, "ask">): Follower =>
  followOutbox(asking, { read: () => tellOnce(deps), batchMax });

/** Tells of the next events; returns how many there were. */
export const tellOnce = (deps: FanOutDeps): Promise<number> =>
  readOutbox(deps.db.relay, { consumer, limit: batchMax, leaseMs }, (events, at) => tellOf(deps, events, at));

/** What an event says: to its own organization and to who hears all, or of a person to whoever knows them. */
type Heard = { readonly event: Recorded; readonly at: Position } & (
  | { readonly said: Said }
  | { readonly saidTo: readonly SaidTo[] }
);

async function tellOf(deps: FanOutDeps, events: readonly Recorded[], at: readonly Position[]): Promise<void> {
  const { db, clock } = deps;
  const last = at.at(-1);
  if (last === undefined) return;
  // Asked first: a batch that outlasted its reader's lease is only passed over by whoever takes it up again.
  const told = await db.global.transaction(rows.findTold);
  const heard = await heardIn(deps, { events, at, after: told });
  const tenants = [...new Set(heard.flatMap(tenantsOf))];
  const listeners =
    heard.length === 0 ? [] : await db.relay.transaction((tx) => rows.listenersOf(tx, tenants));
  await db.global.transaction(async (tx) => {
    // How far is told is written with what is told: a reader that was taken for dead finds that it comes too late.
    const until = await rows.lockTold(tx);
    if (!isAfter(last, until)) return;
    const fresh = heard.filter((one) => isAfter(one.at, until));
    const owners = listeners.some(({ wide }) => wide) ? await ownersOf(tx, fresh) : new Map<string, string>();
    const signals = fresh.flatMap((one) => listeners.flatMap((by) => toldTo(by, one, owners)));
    if (signals.length > 0) await tell(tx, signals, clock.now());
    await rows.saveTold(tx, last);
  });
}

type Batch = {
  readonly events: readonly Recorded[];
  readonly at: readonly Position[];
  /** How far everything has been told. */
  readonly after: Position;
};

async function heardIn(deps: FanOutDeps, { events, at, after }: Batch): Promise<Heard[]> {
  const fresh = events.flatMap((event, index) => {
    const place = at[index];
    const isNew = place !== undefined && event.tenant !== "platform" && isAfter(place, after);
    return isNew ? [{ event, at: place, said: saidBy(event) }] : [];
  });
  const others = fresh.filter(({ said }) => said === undefined).map(({ event }) => event);
  const people = await saidOfPeople(deps, others);
  return fresh.flatMap(({ event, at: place, said }): Heard[] => {
    const saidTo = people.get(event.id);
    if (said !== undefined) return [{ event, at: place, said }];
    return saidTo === undefined ? [] : [{ event, at: place, saidTo }];
  });
}

const tenantsOf = (heard: Heard): string[] =>
  "said" in heard ? [heard.event.tenant] : heard.saidTo.map(({ tenant }) => tenant);

/** Whose a charge is, by its id: both sides' logs tell of it, and who hears all of them hears the payer's. */
async function ownersOf(tx: Sql, heard: readonly Heard[]): Promise<ReadonlyMap<string, string>> {
  const charges = [...new Set(heard.flatMap(({ event }) => chargeIn(event) ?? []))];
  return charges.length === 0 ? new Map() : tenantsOfCharges(tx, charges);
}

const chargeIn = ({ subject, payload }: Recorded): Id<"charge"> | undefined =>
  parseId("charge", subject) ?? parseId("charge", payload["charge"]);

function toldTo(by: rows.Listener, heard: Heard, owners: ReadonlyMap<string, string>): ToTell[] {
  const { tenant, stream, wide, requested, since } = by;
  const { event } = heard;
  if (event.at < since - slackMs) return [];
  return saidFor(by, heard, owners)
    .filter(
      ({ name }) => supportedBy({ wide }).includes(name) && (requested?.includes(signalTypes[name]) ?? true),
    )
    .map((said) => ({ tenant, stream, txn: event.id, ...said }));
}

function saidFor(
  { tenant, wide }: rows.Listener,
  heard: Heard,
  owners: ReadonlyMap<string, string>,
): readonly Said[] {
  const { event } = heard;
  if (!("said" in heard))
    return heard.saidTo.filter((one) => !wide && one.tenant === tenant).map(({ said }) => said);
  const charge = chargeIn(event);
  const mine = wide ? charge === undefined || owners.get(charge) === event.tenant : event.tenant === tenant;
  return mine ? [heard.said] : [];
}
