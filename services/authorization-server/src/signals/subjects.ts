import { canonicalise, isJsonObject, type JsonObject, type SubjectId } from "@remit/protocol";

/** One of our own objects, by its id. */
export const opaque = (id: string): SubjectId => ({ format: "opaque", id });

/** A person, as the issuer's tokens name them. */
export const person = (iss: string, sub: string): SubjectId => ({ format: "iss_sub", iss, sub });

/** A person's session: complex (SSF 1.0 §3.3), so that who knows only the person understands it too. */
export const sessionOf = (user: SubjectId, sid: string): SubjectId => ({
  format: "complex",
  user,
  session: opaque(sid),
});

/** A subject as it is compared: member by member, whatever their order. */
export const spellingOf = (subject: JsonObject): string => canonicalise(subject);

/**
 * What a receiver may name when it asks for silence about a subject: the subject itself; of a complex one also any of its
 * members, alone or as a complex subject that says no more (SSF 1.0 §8.1.3.1: what a complex subject does not say, matches).
 */
export function spellingsOf(subject: SubjectId): string[] {
  const parts = Object.entries(subject).filter(([, part]) => isJsonObject(part));
  return [
    spellingOf(subject),
    ...parts.flatMap(([name, part]) => [
      ...(isJsonObject(part) ? [spellingOf(part)] : []),
      spellingOf({ format: "complex", [name]: part }),
    ]),
  ];
}
