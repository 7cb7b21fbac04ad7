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

const known = new WeakMap<TemplateStringsArray, { readonly text: string; readonly name: string }>();

/** Each call site is one named prepared statement; its values never become part of the text. */
export function sql(strings: TemplateStringsArray, ...values: SqlValue[]): Statement {
  let head = known.get(strings);
  if (head === undefined) {
    const text = strings.reduce((joined, part, index) => `${joined}$${index}${part}`);
    head = { text, name: createHash("sha256").update(text).digest("base64url").slice(0, 27) };
    known.set(strings, head);
  }
  return { text: head.text, name: head.name, values };
}

/** An instant as PostgreSQL reads it (timestamptz). */
export const sqlTime = (at: Instant): string => toRfc3339(at);
