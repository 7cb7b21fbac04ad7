import { type Id, parseId, toNumericDate } from "@remit/kernel";
import type { Recorded } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import type { EventType, SignalName, SubjectId } from "@remit/protocol";
import { clientById } from "../clients/index.ts";
import { clientsGranted } from "../grants/index.ts";
import { tenantsOfMember } from "../organizations/index.ts";
import { sidFor } from "../sessions/index.ts";
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

/**
 * What an event about a person says, and to whom: the organizations they belong to, and those at whose applications they
 * signed in. One that knows them by a name for itself alone (pairwise) hears nothing: it would learn the other. Undefined of
 * an event that is about nobody.
 */
export async function saidOfPerson(
  { db, issuer }: { readonly db: Database; readonly issuer: string },
  event: Recorded,
): Promise<readonly SaidTo[] | undefined> {
  const kind = kinds[event.type];
  const account = parseId("account", event.payload["account"]) ?? parseId("account", event.subject);
  if (kind === undefined || account === undefined) return undefined;
  const user = person(issuer, account);
  const data = {
    event_timestamp: toNumericDate(event.at),
    initiating_entity: startedBy(event),
    ...kind.data,
  };
  const saidOf = (subject: SubjectId): Said => ({ name: kind.name, subject, data });
  const { sid } = event.payload;
  const members = await membersOf(db, account, event);
  const clients = (await clientsGranted(db.single, account)).flatMap((id) => parseId("client", id) ?? []);
  const there: SaidTo[] = [];
  for (const id of clients) {
    const client = await clientById(db, id);
    if (client?.kind !== "application" || client.metadata.subject_type === "pairwise") continue;
    const subject = typeof sid === "string" ? sessionOf(user, sidFor(sid, id)) : user;
    if (typeof sid === "string" || !members.has(client.tenant))
      there.push({ tenant: client.tenant, said: saidOf(subject) });
  }
  const atHome = saidOf(typeof sid === "string" ? sessionOf(user, event.subject) : user);
  return onceEach([...[...members].map((tenant) => ({ tenant, said: atHome })), ...there]);
}

/** Also those that a person left as they were erased: the event names them. */
async function membersOf(db: Database, account: Id<"account">, event: Recorded): Promise<Set<string>> {
  const { organizations } = event.payload;
  const left = Array.isArray(organizations) ? organizations.map(String) : [];
  const belongs = await tenantsOfMember(db.single, account, membershipsMax);
  return new Set([event.tenant, ...belongs, ...left]);
}

const startedBy = ({ actor }: Recorded): "user" | "system" => (actor.type === "account" ? "user" : "system");

const onceEach = (all: readonly SaidTo[]): readonly SaidTo[] => [
  ...new Map(all.map((one) => [`${one.tenant} ${JSON.stringify(one.said.subject)}`, one])).values(),
];
