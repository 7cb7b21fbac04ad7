import { randomInt } from "node:crypto";
import { type Instant, minuteMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { z } from "zod";
import type { Guesses } from "../guesses/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import type { Letter, Post } from "./mail.ts";

type Place = { readonly conversation: string; readonly now: Instant };

/** `right`: whoever typed the code reads the mail of this address. `content` is what was sent with it. */
export type MailedCode<T> = {
  readonly outcome: "right" | "wrong" | "locked";
  readonly email: string;
  readonly content: T;
  readonly ticket: Ticket<unknown>;
};

export type MailedCodes = {
  /**
   * Writes the letter and returns the ticket for the form that asks for its code. With `undefined` for `letter`'s code
   * nothing opens it: the page and the time are the same, whoever has the address (A18).
   */
  send(place: Place, of: Sending): Promise<string>;
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

export function createMailedCodes(deps: {
  readonly db: Database;
  readonly tickets: Tickets;
  readonly guesses: Guesses;
  readonly post: Post;
}): MailedCodes {
  const { db, tickets, guesses, post } = deps;
  return {
    async send(place, { purpose, email, digest, content, letter }) {
      const code = String(randomInt(100_000_000)).padStart(8, "0");
      const { letter: written, opens } = letter(`${code.slice(0, 4)} ${code.slice(4)}`);
      // Five letters in 15 minutes to one address, whoever asks: a mailbox is not to be filled by strangers.
      const counted = await guesses.count({ kind: "mail", of: digest, ip: "any" }, place.now);
      if (counted.kind === "open") await db.global.transaction((tx) => post.send(tx, written));
      return tickets.seal({ ...place, purpose, lifeMs }, { email, code, opens, content } satisfies Content);
    },
    async check(place, given, schema) {
      const ticket = tickets.open({ ...place, purpose: given.purpose, text: given.ticket }, Content);
      const guess = { kind: "mailed_code", of: ticket.id, ip: "any" } as const;
      const counted = await guesses.count(guess, place.now);
      const { email, code, opens, content } = ticket.content;
      const right = given.code.replace(/\s/g, "") === code && opens;
      const outcome = counted.kind === "locked" ? "locked" : right ? "right" : "wrong";
      return { outcome, email, content: schema.parse(content), ticket };
    },
    use: ({ ticket }) => db.global.transaction((tx) => tickets.claim(tx, ticket)),
  };
}
