import { type Json, type JsonObject, Members } from "@remit/protocol";

/** A part of a list, newest first; `nextCursor` asks for what comes after it, and is null at the end. */
export type Page<T> = { readonly data: readonly T[]; readonly nextCursor: string | null };

const pageMax = 1_000;

/** Reads an answer of a service; one that is not what it should be is as none. */
export const membersOf = (body: Json, what: string): Members => Members.of(body, "unavailable", what);

export const listOf = <T>(body: JsonObject, what: string, read: (members: Members) => T): readonly T[] =>
  membersOf(body, what)
    .list("data", pageMax)
    .map((one) => read(membersOf(one, what)));

export const pageOf = <T>(body: JsonObject, what: string, read: (members: Members) => T): Page<T> => ({
  data: listOf(body, what, read),
  nextCursor: textOrNull(membersOf(body, what), "next_cursor"),
});

export const textOrNull = (members: Members, name: string): string | null =>
  members.get(name) === null ? null : members.text(name);

/** An amount that may be below zero. */
export const signed = (members: Members, name: string): number =>
  members.integer(name, Number.MIN_SAFE_INTEGER);

/** The query of an address; what is undefined is not asked for. */
export function queryOf(wanted: Readonly<Record<string, string | number | undefined>>): string {
  const named = Object.entries(wanted).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return named.length === 0 ? "" : `?${new URLSearchParams(named).toString()}`;
}
