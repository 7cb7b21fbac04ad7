import { createHash } from "node:crypto";
import { type Instant, toRfc3339 } from "@remit/kernel";

/** What may stand in `${}`. Instants go in through `sqlTime`, JSON as text with `::jsonb`. */
export type SqlValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly string[]
  | readonly number[]
  | readonly bigint[];

/** A statement with its values apart. The name makes it a prepared statement on each connection. */
export type Statement = {
  readonly text: string;
  readonly values: readonly SqlValue[];
  readonly name: string;
};

const known = new WeakMap<TemplateStringsArray, Pick<Statement, "text" | "name">>();
const knownCommands = new Map<string, Statement>();

/** Each call site is one named prepared statement; its values never become part of the text. */
export function sql(strings: TemplateStringsArray, ...values: SqlValue[]): Statement {
  let head = known.get(strings);
  if (head === undefined) {
    const text = strings.reduce((joined, part, index) => `${joined}$${index}${part}`);
    head = { text, name: nameOf(text) };
    known.set(strings, head);
  }
  return { text: head.text, name: head.name, values };
}

const nameOf = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 27);

/** One of our own few statements that take no values, such as `begin`. */
export function command(text: string): Statement {
  const found = knownCommands.get(text) ?? { text, name: nameOf(text), values: [] };
  knownCommands.set(text, found);
  return found;
}

/** An instant as PostgreSQL reads it (timestamptz). */
export const sqlTime = (at: Instant): string => toRfc3339(at);
