import { type Id, parseId, toNumericDate } from "@remit/kernel";
import type { Recorded } from "@remit/platform/outbox";
import type { Database, RelayTx } from "@remit/platform/sql";
import type { EventType, SignalName, SubjectId } from "@remit/protocol";
import { tenantsOfMembers } from "../organizations/index.ts";
import { sidFor } from "../sessions/index.ts";
import * as rows from "./people.sql.ts";
import type { Said } from "./said.ts";
import { person, sessionOf } from "./subjects.ts";

type Kind = { readonly name: SignalName; readonly data: { readonly [name: string]: string } };
const credential = (credential_type: string, change_type: "create" | "update" | "delete"): Kind => ({
  name: "caep.credential-change",
  data: { credential_type, change_type },
});

/** What happens to a person, in the words of CAEP 1.0 and RISC 1.0. A passkey may be of any device: CAEP's own names say which. */
const kinds: Partial<Record<EventType, Kind>> = {
  "account.app_added": credential("app", "create"),
  "account.app_removed": credential("app", "delete"),
  "account.passkey_added": credential("passkey", "create"),
  "account.passkey_removed": credential("passkey", "delete"),
  "account.password_changed": credential("password", "update"),
  "account.password_removed": credential("password", "delete"),
  "account.purged": { name: "risc.account-purged", data: {} },
  "account.recovered": { name: "risc.recovery-activated", data: {} },
  "account.recovery_codes_made": { name: "risc.recovery-information-changed", data: {} },
  "security.passkey_copied": { name: "risc.credential-compromise", data: { credential_type: "passkey" } },
  "session.ended": { name: "caep.session-revoked", data: {} },
};

/** What one organization hears of it: a session has a name of its own at each client. */
export type SaidTo = { readonly tenant: string; readonly said: Said };

const membershipsMax = 1_000;

/** An event about a person. */
type About = { readonly event: Recorded; readonly kind: Kind; readonly account: Id<"account"> };

/**
 * What events about people say, and to whom, by the event: the organizations they belong to, and those at whose applications
 * they are signed in; of a session only those that it signed in at. One that knows them by a name for itself alone
 * (pairwise) hears nothing: it would learn the other. Asked for all at once: so many round trips would outlast a reader's
 * lease.
 */
export async function saidOfPeople(
  { db, issuer }: { readonly db: Database; readonly issuer: string },
  events: readonly Recorded[],
): Promise<ReadonlyMap<string, readonly SaidTo[]>> {
  const all = events.flatMap((event) => aboutIn(event) ?? []);
  if (all.length === 0) return new Map();
  const accounts = [...new Set(all.map(({ account }) => account))];
  const members = await tenantsOfMembers(db.single, accounts, membershipsMax);
  const there = await db.relay.transaction((tx) => applicationsOf(tx, all));
  return new Map(
    all.map((about) => {
      const belongs = members.get(about.account) ?? [];
      return [about.event.id, saidTo(issuer, about, { belongs, there: there.get(about.event.id) ?? [] })];
    }),
  );
}

function aboutIn(event: Recorded): About | undefined {
  const kind = kinds[event.type];
  const account = parseId("account", event.payload["account"]) ?? parseId("account", event.subject);
  return kind === undefined || account === undefined ? undefined : { event, kind, account };
}

const sidIn = ({ payload: { sid } }: Recorded): string | undefined =>
  typeof sid === "string" ? sid : undefined;

/** An organization by an application of its own; which one, of a session alone. */
type There = { readonly tenant: Id<"tenant">; readonly client?: Id<"client"> };

async function applicationsOf(tx: RelayTx, all: readonly About[]): Promise<ReadonlyMap<string, There[]>> {
  const sessions = all.flatMap(({ event }) => {
    const sid = sidIn(event);
    return sid === undefined ? [] : [{ event: event.id, sid }];
  });
  const people = all
    .filter(({ event }) => sidIn(event) === undefined)
    // With an account all that it gave ended.
    .map(({ event, account }) => ({ event: event.id, account, left: event.type === "account.purged" }));
  const found = [
    ...(sessions.length === 0 ? [] : await rows.applicationsOfSessions(tx, sessions)),
    ...(people.length === 0 ? [] : await rows.applicationsOfPeople(tx, people)),
  ];
  return Map.groupBy(found, ({ event }) => event);
}

type Known = { readonly belongs: readonly string[]; readonly there: readonly There[] };

function saidTo(issuer: string, { event, kind, account }: About, { belongs, there }: Known): SaidTo[] {
  const data = {
    event_timestamp: toNumericDate(event.at),
    initiating_entity: startedBy(event),
    ...kind.data,
  };
  const saidOf = (subject: SubjectId): Said => ({ name: kind.name, subject, data });
  const user = person(issuer, account);
  const sid = sidIn(event);
  const members = new Set([event.tenant, ...belongs, ...leftIn(event)]);
  const atHome = saidOf(sid === undefined ? user : sessionOf(user, event.subject));
  const elsewhere = there.flatMap(({ tenant, client }): SaidTo[] => {
    if (sid !== undefined && client !== undefined)
      return [{ tenant, said: saidOf(sessionOf(user, sidFor(sid, client))) }];
    return members.has(tenant) ? [] : [{ tenant, said: saidOf(user) }];
  });
  return [...[...members].map((tenant) => ({ tenant, said: atHome })), ...elsewhere];
}

/** Those that a person left as they were erased: nobody finds them there any more. */
function leftIn({ payload: { organizations: left } }: Recorded): string[] {
  return Array.isArray(left) ? left.map(String) : [];
}

const startedBy = ({ actor }: Recorded): "user" | "system" => (actor.type === "account" ? "user" : "system");
