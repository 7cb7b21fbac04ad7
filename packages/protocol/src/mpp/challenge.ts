import { fromRfc3339, type Instant, invariant, toRfc3339 } from "@remit/kernel";
import {
  base64url,
  equalBytes,
  isJsonObject,
  type JsonObject,
  type Mac,
  readJson,
} from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import { Problem } from "../problems.ts";

/** A `Payment` challenge. `request` and `opaque` are base64url of JCS texts and are echoed byte for byte. */
export type Challenge = {
  readonly id: string;
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: string;
  readonly expires?: string;
  readonly digest?: string;
  readonly description?: string;
  readonly opaque?: string;
  /** The header that carries the credential; `Authorization` when absent. */
  readonly header?: string;
};

/** What a challenge is bound to beside its own text: route, method and host of the request. */
export type Binding = Readonly<Record<string, string>>;

/** The member of `opaque` that sets two challenges for the same apart. No binding has it. */
const saltMember = "salt";

export const paymentAuthorizationHeader = "Payment-Authorization";

/** A challenge whose id is its MAC, so that no store is needed to know it again. */
export function makeChallenge(input: {
  readonly mac: Mac;
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: JsonObject;
  readonly expires: Instant;
  readonly binding?: Binding;
  /** A challenge is answered once: two who ask for the same at one instant must not get the same. */
  readonly salt?: string;
  readonly digest?: string;
  readonly header?: string;
}): Challenge {
  return nameChallenge(input.mac, {
    realm: input.realm,
    method: input.method,
    intent: input.intent,
    request: base64url.encode(canonicalise(input.request)),
    expires: toRfc3339(input.expires),
    ...(input.digest !== undefined && { digest: input.digest }),
    ...(input.binding !== undefined && { opaque: base64url.encode(opaqueOf(input.binding, input.salt)) }),
    ...(input.header !== undefined && { header: input.header }),
  });
}

/** Gives a challenge its id, when all the rest of it has been written. */
export const nameChallenge = (mac: Mac, unnamed: Omit<Challenge, "id">): Challenge => ({
  id: challengeId(mac, unnamed),
  ...unnamed,
});

/** base64url(HMAC(realm | method | intent | request | expires | digest | [header |] opaque)), absent parts empty. */
export const challengeId = (mac: Mac, challenge: Omit<Challenge, "id">): string =>
  base64url.encode(mac(namedText(challenge)));

/** The text of which a challenge's id is the MAC. */
export function namedText(challenge: Omit<Challenge, "id">): string {
  const { realm, method, intent, request, expires = "", digest = "", header, opaque = "" } = challenge;
  const slot = header === undefined || header.toLowerCase() === "authorization" ? [] : [header];
  return [realm, method, intent, request, expires, digest, ...slot, opaque].join("|");
}

/** Refuses a challenge that we did not make, that has expired, or that was made for another request. */
export function checkChallenge(input: {
  readonly challenge: Challenge;
  readonly macs: readonly Mac[];
  readonly realm: string;
  readonly now: Instant;
  readonly binding?: Binding;
  readonly digest?: string;
}): void {
  const { challenge } = input;
  const id = base64url.decode(challenge.id) ?? new Uint8Array();
  const ours = input.macs.filter((mac) => {
    const expected = base64url.decode(challengeId(mac, challenge));
    return expected !== undefined && equalBytes(expected, id);
  });
  if (ours.length === 0 || challenge.realm !== input.realm || !isBoundTo(challenge, input.binding))
    throw new Problem("challenge_invalid");
  const expires = challenge.expires === undefined ? undefined : fromRfc3339(challenge.expires);
  if (expires === undefined || input.now >= expires) throw new Problem("payment_expired");
  if (challenge.digest !== undefined && challenge.digest !== input.digest)
    throw new Problem("content_digest_mismatch");
}

/** The JSON of `request`; undefined when it is none. */
export const challengeRequest = ({ request }: Pick<Challenge, "request">): JsonObject | undefined =>
  challengeObject(request);

function challengeObject(text: string): JsonObject | undefined {
  const bytes = base64url.decode(text);
  const found = bytes === undefined ? undefined : readJson(bytes, 65_536);
  if (found === undefined || !("value" in found)) return undefined;
  return isJsonObject(found.value) ? found.value : undefined;
}

/** `WWW-Authenticate` of one challenge (RFC 9110 §11.6.1). */
export function formatChallenge(challenge: Challenge): string {
  const parameters = (
    [
      "id",
      "realm",
      "method",
      "intent",
      "request",
      "expires",
      "digest",
      "description",
      "opaque",
      "header",
    ] as const
  ).flatMap((name) => {
    const value = challenge[name];
    return value === undefined ? [] : [`${name}=${quoted(value)}`];
  });
  return `Payment ${parameters.join(", ")}`;
}

/** The JCS text of `opaque`, before it is encoded. */
export const opaqueOf = (binding: Binding, salt?: string): string =>
  canonicalise({ ...binding, ...(salt !== undefined && { [saltMember]: salt }) });

function isBoundTo({ opaque }: Pick<Challenge, "opaque">, binding: Binding | undefined): boolean {
  if (opaque === undefined || binding === undefined) return opaque === binding;
  const { [saltMember]: salt, ...bound } = challengeObject(opaque) ?? {};
  if (salt !== undefined && typeof salt !== "string") return false;
  return canonicalise(bound) === canonicalise(binding);
}

// Nothing to escape, as almost always.
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

// A line break in a header's value would start a header of its own; beyond ASCII, header values have no agreed meaning.
function quoted(value: string): string {
  if (plain.test(value)) return `"${value}"`;
  invariant(!/\p{Cc}/u.test(value), "a challenge has no control characters");
  const ascii = value.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${ascii.replace(/["\\]/g, "\\$&")}"`;
}
