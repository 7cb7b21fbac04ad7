import { randomInt } from "node:crypto";
import { type Instant, minuteMs } from "@remit/kernel";
import type { Letter } from "@remit/platform/mail";
import type { Database } from "@remit/platform/sql";
import { z } from "zod";
import type { Guesses } from "../guesses/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import type { Post } from "./mail.ts";

type Place = { readonly conversation: string; readonly now: Instant };
type Asking = Place & { readonly ip: string };

/** `right`: whoever typed the code reads the mail of this address. `content` is what was sent with it. */
export type MailedCode<T> = {
  readonly outcome: "right" | "wrong" | "locked";
  readonly email: string;
  readonly content: T;
  readonly ticket: Ticket<unknown>;
};

export type MailedCodes = {
  /**
   * Writes the letter and returns the ticket for the form that asks for its code. Nothing opens it when the letter gives
   * no code, or none was sent because there were too many: the page is the same, whoever has the address (A18).
   */
  send(place: Asking, of: Sending): Promise<string>;
  check<S extends z.ZodType>(
    place: Place,
    given: { purpose: string; ticket: string; code: string },
    content: S,
  ): Promise<MailedCode<z.output<S>>>;
  /** A right one opens what it opens once; throws when it was used before. */
  use(code: MailedCode<unknown>): Promise<void>;
};

export type Sending = {
  readonly purpose: string;
  readonly email: string;
  /** For counting letters to one address: says nothing of it. */
  readonly digest: string;
  readonly content: object;
  /** The letter with the code, or one that gives none. */
  readonly letter: (code: string) => { readonly letter: Letter; readonly opens: boolean };
};

const Content = z.strictObject({
  email: z.string(),
  code: z.string(),
  opens: z.boolean(),
  content: z.unknown(),
});
type Content = z.output<typeof Content>;

const lifeMs = 15 * minuteMs;

// 50 bits, without the letters that look like digits: those are read as the digits (Crockford's base 32).
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const newCode = (): string =>
  Array.from({ length: 10 }, () => alphabet.charAt(randomInt(alphabet.length))).join("");

/** As people type it. */
const plain = (code: string): string =>
  code.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");

export function createMailedCodes(deps: {
  readonly db: Database;
  readonly tickets: Tickets;
  readonly guesses: Guesses;
  readonly post: Post;
}): MailedCodes {
  const { db, tickets, guesses, post } = deps;
  return {
    async send({ ip, ...place }, { purpose, email, digest, content, letter }) {
      const code = newCode();
      const { letter: written, opens: gives } = letter(`${code.slice(0, 5)}-${code.slice(5)}`);
      const sent = await countLetter(guesses, { of: `${purpose}:${digest}`, ip, now: place.now });
      if (sent) await db.global.transaction((tx) => post.send(tx, written));
      // Without a letter there is no code: else every ask would be worth five guesses more.
      const sealed: Content = { email, code, opens: gives && sent, content };
      return tickets.seal({ ...place, purpose, lifeMs }, sealed);
    },
    async check(place, given, schema) {
      const ticket = tickets.open({ ...place, purpose: given.purpose, text: given.ticket }, Content);
      const guess = { kind: "mailed_code", of: ticket.id, ip: "any" } as const;
      const counted = await guesses.count(guess, place.now);
      const { email, code, opens, content } = ticket.content;
      const right = plain(given.code) === code && opens;
      const outcome = counted.kind === "locked" ? "locked" : right ? "right" : "wrong";
      if (outcome === "wrong") await guesses.failed(guess, place.now);
      return { outcome, email, content: schema.parse(content), ticket };
    },
    use: ({ ticket }) => db.global.transaction((tx) => tickets.claim(tx, ticket)),
  };
}

/**
 * For one purpose, to one address: five in 15 minutes that one caller asks for, and 20 an hour in all. A mailbox is not
 * to be filled by strangers, nor is what they ask for to keep its owner from asking.
 */
async function countLetter(
  guesses: Guesses,
  { of, ip, now }: { of: string; ip: string; now: Instant },
): Promise<boolean> {
  for (const guess of [{ kind: "mail", of, ip } as const, { kind: "mail", of } as const])
    if ((await guesses.count(guess, now)).kind === "locked") return false;
  return true;
}
