import { type Clock, fromRfc3339, type Id, invariant, newId, secondMs, toRfc3339 } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import { type Letter, lettersIn } from "@remit/platform/mail";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, Tx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { NoticeBody, TellNotices } from "@remit/protocol/contracts";
import { sha256b64url } from "@remit/protocol/node";
import type { Language } from "../refusals/index.ts";
import { forgetViews } from "../views/index.ts";
import type { DeliveryState } from "./notices.sql.ts";
import * as rows from "./notices.sql.ts";
import { type PushKey, type Subscription, takesMessages } from "./web-push.ts";

/** What somebody wants to be told of. */
export type Wishes = { readonly questions: boolean; readonly money: boolean };

export type Device = Wishes & {
  readonly id: Id<"device">;
  /** What the person's browser is called. */
  readonly name: string;
  /** The digest of its endpoint, by which a browser knows itself. */
  readonly mark: string;
  readonly addedAt: string;
};

/** Something that a person was told of, or is to be, by one way. */
export type ToldOf = {
  readonly id: string;
  readonly kind: NoticeBody["kind"];
  readonly subject: string;
  readonly at: string;
  readonly way: "mail" | "push";
  readonly state: DeliveryState;
};

export type NoticeSettings = {
  readonly mail: (Wishes & { readonly to: string }) | undefined;
  readonly devices: readonly Device[];
  readonly told: readonly ToldOf[];
  /** By which a browser subscribes (Push API, applicationServerKey). */
  readonly pushKey: string;
};

/** One person's notices, as the portal shows and changes them. */
export type PersonNotices = {
  settings(): Promise<NoticeSettings>;
  /** By e-mail to the address that the issuer says is theirs. */
  setMail(wishes: Wishes, to: { readonly email: string; readonly language: Language }): Promise<void>;
  addDevice(
    subscription: Subscription,
    of: { readonly name: string; readonly language: Language },
  ): Promise<void>;
  setDevice(id: string, wishes: Wishes): Promise<boolean>;
  removeDevice(id: string): Promise<boolean>;
  forget(): Promise<void>;
  /** Development: the letters that would have been sent to this address, newest first; undefined where letters are carried. */
  inbox(email: string): Promise<readonly Letter[] | undefined>;
};

export type NoticesDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly pushKey: PushKey;
  /** To what a browser named as its push service. */
  readonly outbound: Outbound;
  /** Where letters are kept in development. */
  readonly inbox: string | undefined;
  /** Of somebody who is no more. */
  readonly endSessions: (of: { readonly account: string }) => Promise<unknown>;
};

export type Notices = {
  of(account: string): PersonNotices;
  /** What the issuer tells: each event once, whoever brings it and however often. */
  hear(told: TellNotices): Promise<void>;
};

export const deliverQueue = "notices.deliver";
export const sealingScope = "notices";

/** What is sealed of a person, and of a device. */
export type Addressee = { readonly email: string; readonly language: Language };
export type Browser = Subscription & { readonly name: string; readonly language: Language };

// A person who sees the page answers within this; then the letter is not written.
const letterAfterMs = 20 * secondMs;
// Movements of money come together: many purchases are one message.
const moneyAfterMs = 30 * secondMs;
const devicesMax = 20;
const toldMax = 40;

export function createNotices(deps: NoticesDeps): Notices {
  const { db } = deps;
  return {
    of: (account) => noticesOf(deps, account),
    hear: async ({ notices, answered, forgotten = [] }) => {
      // Before what people want is forgotten: nobody who is signed in wishes anything after it.
      for (const account of forgotten) await deps.endSessions({ account });
      await db.global.transaction(async (tx) => {
        if (answered.length > 0) await rows.markAnswered(tx, answered);
        for (const notice of notices) await hearOne(deps, tx, notice);
        for (const account of forgotten) {
          await rows.forgetPerson(tx, account);
          await forgetViews(tx, account);
        }
      });
    },
  };
}

async function hearOne({ clock }: NoticesDeps, tx: Tx, told: NoticeBody): Promise<void> {
  const now = clock.now();
  const at = fromRfc3339(told.at);
  invariant(at !== undefined, "a contract's time is a time");
  const until = told.until === undefined ? undefined : fromRfc3339(told.until);
  const notice = { ...told, at, until };
  if (!(await rows.insertNotice(tx, notice, now))) return;
  const { id, account, kind } = notice;
  for (const way of await rows.insertDeliveries(tx, notice)) {
    const question = kind === "question";
    const waits = !question ? moneyAfterMs : way === "mail" ? letterAfterMs : 0;
    await enqueue(tx, {
      queue: deliverQueue,
      key: `${question ? id : account} ${way}`,
      payload: { account, way, ...(question ? { notice: id } : {}) },
      runAt: (now + waits) as typeof now, // later by whole milliseconds
    });
  }
}

function noticesOf(deps: NoticesDeps, account: string): PersonNotices {
  const { db, inbox } = deps;
  return {
    settings: () => db.global.transaction((tx) => settingsOf(deps, tx, account)),
    setMail: (wishes, to) =>
      db.global.transaction(async (tx) => {
        const sealed = await sealAs(deps, tx, { aad: account, content: to satisfies Addressee });
        await rows.savePerson(tx, { account, sealed, ...wishes });
      }),
    addDevice: (subscription, named) => addDevice(deps, account, { ...subscription, ...named }),
    setDevice: (id, wishes) => rows.changeDevice(db.single, { account, id, ...wishes }),
    removeDevice: (id) => rows.deleteDevice(db.single, { account, id }),
    forget: () => db.global.transaction((tx) => rows.forgetPerson(tx, account)),
    inbox: async (email) => (inbox === undefined ? undefined : (await lettersIn(inbox, email)).reverse()),
  };
}

async function settingsOf({ keyring, pushKey }: NoticesDeps, tx: Tx, of: string): Promise<NoticeSettings> {
  const person = await rows.readPerson(tx, of);
  const mail = person && (await openAs<Addressee>(keyring, tx, { aad: of, sealed: person.sealed }));
  const devices: Device[] = [];
  for (const row of await rows.readDevices(tx, of)) {
    const browser = await openAs<Browser>(keyring, tx, { aad: row.id, sealed: row.sealed });
    const { id, questions, money, digest: mark } = row;
    devices.push({ id, questions, money, mark, name: browser.name, addedAt: toRfc3339(row.addedAt) });
  }
  const told = (await rows.lastTold(tx, of, toldMax)).map(
    ({ way, at, ...each }): ToldOf => ({ ...each, at: toRfc3339(at), way: way === "mail" ? "mail" : "push" }),
  );
  return {
    mail: mail && person && { to: mail.email, questions: person.questions, money: person.money },
    devices,
    told,
    pushKey: pushKey.publicKey,
  };
}

async function addDevice(deps: NoticesDeps, account: string, browser: Browser): Promise<void> {
  const { db, clock, outbound } = deps;
  if (!takesMessages(browser))
    throw new Problem("invalid_request", { detail: "This is no subscription of a browser." });
  await outbound.check(browser.endpoint);
  const id = newId("device");
  await db.global.transaction(async (tx) => {
    if ((await rows.readDevices(tx, account)).length >= devicesMax)
      throw new Problem("invalid_request", { detail: `At most ${devicesMax} browsers are told.` });
    const sealed = await sealAs(deps, tx, { aad: id, content: browser });
    const digest = sha256b64url(browser.endpoint);
    const device = { id, account, digest, sealed, questions: true, money: false, now: clock.now() };
    await rows.saveDevice(tx, device);
  });
}

async function sealAs(
  { keyring }: Pick<NoticesDeps, "keyring">,
  tx: Tx,
  { aad, content }: { readonly aad: string; readonly content: object },
): Promise<Uint8Array> {
  const plaintext = new TextEncoder().encode(JSON.stringify(content));
  return keyring.seal(tx, sealingScope, { plaintext, aad });
}

/** Sealed by this room alone, as what is asked for. */
export async function openAs<T>(
  keyring: Keyring,
  tx: Tx,
  message: { readonly aad: string; readonly sealed: Uint8Array },
): Promise<T> {
  const bytes = await keyring.open(tx, sealingScope, message);
  invariant(bytes !== undefined, "what people are told is never shredded");
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}
