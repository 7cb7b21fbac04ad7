import { fromRfc3339, invariant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { AuditBody } from "@remit/protocol";
import type { Account } from "../accounts/index.ts";
import { recentOf } from "../audit/index.ts";
import type { Happened } from "./views.ts";

const shownMax = 50;

/** What changed lately who can act as this person, newest first. */
export async function recentEvents(db: Database, { id, home }: Account): Promise<Happened[]> {
  const entries = await db.of(home).transaction((tx) => recentOf(tx, Object.keys(sentences), shownMax));
  return entries.filter((entry) => concerns(entry, id)).map(happened);
}

/** Others may share the tenant: only what this person did, or what was done to them. */
const concerns = ({ actor, subject, payload }: AuditBody, id: string): boolean =>
  actor.id === id || subject === id || payload["account"] === id;

function happened(entry: AuditBody): Happened {
  const at = fromRfc3339(entry.ts);
  invariant(at !== undefined, "an entry's time is one we wrote");
  return { at, text: sentences[entry.event]?.(entry) ?? entry.event };
}

type Sentence = (entry: AuditBody) => string;

const endings: Readonly<Record<string, string>> = {
  signed_out: "You signed out",
  revoked_by_person: "You ended a session",
  revoked_by_operator: "An operator ended a session of yours",
  password_changed: "A session ended because the password changed",
  recovery: "A session ended because the account was recovered",
  security: "A session ended because something was wrong with it",
  expired: "A session ended by itself",
  superseded: "A session ended because there were too many",
};

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const levelOf = ({ payload }: AuditBody): string =>
  textOf(payload["acr"]).endsWith("aal1") ? "" : " with a second factor or passkey";

const sentences: Readonly<Record<string, Sentence>> = {
  "account.created": () => "The account was made",
  "account.app_added": () => "An authenticator app was added",
  "account.app_removed": () => "The authenticator app was removed",
  "account.passkey_added": () => "A passkey was added",
  "account.passkey_removed": () => "A passkey was removed",
  "account.passkey_renamed": () => "A passkey was given another name",
  "account.password_changed": () => "The password changed",
  "account.password_removed": () => "The password was removed",
  "account.recovered": () => "The account was recovered with a code from your mailbox",
  "account.recovery_code_used": () => "A recovery code was used",
  "account.recovery_codes_made": () => "New recovery codes were made",
  "consent.denied": () => "You declined an application",
  "consent.granted": ({ payload }) =>
    payload["mandate"] === null ? "You let an application in" : "You gave an agent a mandate",
  "identity.linked": () => "An identity provider was linked",
  "identity.unlinked": () => "An identity provider was unlinked",
  "security.code_replay": () => "An authorization code was used twice; what it had given was taken back",
  "security.refresh_replay": () => "A refresh token was used twice; what it had given was taken back",
  "session.ended": ({ payload }) => endings[textOf(payload["because"])] ?? "A session ended",
  "session.started": (entry) => `You signed in${levelOf(entry)}`,
  "session.stepped_up": (entry) => `You proved again who you are${levelOf(entry)}`,
};
