import { fromNumericDate, type Instant, toNumericDate } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import {
  checkOf,
  isAhead,
  isNumericDate,
  isText,
  keyFor,
  type PublicJwk,
  parseJws,
  type Unproven,
  type Unsigned,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { type SignalName, signalNameOf, signalTypes } from "./names.ts";

/** The JWS type of a security event token (RFC 8417 §2.3). */
export const securityEventTyp = "secevent+jwt";
/** How one is posted (RFC 8935 §2.1). */
export const securityEventMediaType = `application/${securityEventTyp}`;

/** Why a receiver takes no token (RFC 8935 §2.4), in `err` of its answer and in `setErrs` of a poll. */
export const setErrors = [
  "access_denied",
  "authentication_failed",
  "invalid_audience",
  "invalid_issuer",
  "invalid_key",
  "invalid_request",
] as const;
export type SetError = (typeof setErrors)[number];

/** Whom it is about (RFC 9493, and the complex subjects of SSF 1.0 §3.3): `format` says how to read the rest. */
export type SubjectId = JsonObject & { readonly format: string };

/** One thing that happened, told on one stream. */
export type SecurityEvent = {
  readonly jti: string;
  /** Of the event that it tells of: what one event says in several tokens has one. */
  readonly txn: string;
  /** Its place in the stream, from 1 and without gaps: a place that was left out is fetched by a poll. */
  readonly seq: number;
  readonly issuedAt: Instant;
  readonly subject: SubjectId;
  /** The URI in `events`. */
  readonly type: string;
  /** Undefined of a type that this release does not know. */
  readonly name: SignalName | undefined;
  readonly data: JsonObject;
};

export type SecurityEventToTell = {
  readonly issuer: string;
  readonly audience: string;
  readonly jti: string;
  readonly txn: string;
  readonly seq: number;
  readonly now: Instant;
  readonly subject: SubjectId;
  readonly name: SignalName;
  readonly data: JsonObject;
};

/** A token to sign. It has no `sub` and no `exp` (SSF 1.0 §11.1.3, §11.1.5), and says one thing. */
export const makeSecurityEvent = (told: SecurityEventToTell): Unsigned<string> => ({
  header: { typ: securityEventTyp },
  payload: {
    iss: told.issuer,
    aud: told.audience,
    jti: told.jti,
    iat: toNumericDate(told.now),
    txn: told.txn,
    seq: told.seq,
    sub_id: told.subject,
    events: { [signalTypes[told.name]]: told.data },
  },
  finish: (jws) => jws,
});

export type SecurityEventInput = {
  /** As it was posted, or as it stood in the answer to a poll. */
  readonly token: string;
  readonly issuer: string;
  /** The stream's `aud`. */
  readonly audience: string;
  /** Of the issuer, at its `jwks_uri`. */
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
};

const idLengthMax = 256;

/**
 * RFC 8417 §2.2 and SSF 1.0 §11, all but the signature (still a check). That `jti` is new, and what `seq` leaves out, is for
 * the receiver to see. Throws `invalid_request`; `setErrorOf` says which of RFC 8935's errors that is.
 */
export function examineSecurityEvent(input: SecurityEventInput): Unproven<SecurityEvent> {
  const jws = parseJws(input.token, {
    typ: [securityEventTyp],
    algs: ["ES256", "EdDSA"],
    refuse: "invalid_request",
  });
  const { payload } = jws;
  if (payload["iss"] !== input.issuer) throw refused("iss must be the issuer.", "invalid_issuer");
  if (!isMeantFor(payload["aud"], input.audience))
    throw refused("aud must be the stream's.", "invalid_audience");
  const key = keyFor(input.keys, jws.header);
  if (key === undefined) throw refused("The token's key is not one of the issuer's.", "invalid_key");
  return { checks: [checkOf(jws, key, "invalid_request")], value: eventOf(payload, input.now) };
}

function eventOf(payload: JsonObject, now: Instant): SecurityEvent {
  const { jti, txn, seq, iat } = payload;
  if ("sub" in payload || "exp" in payload) throw refused("A security event has neither sub nor exp.");
  if (!isText(jti, idLengthMax) || !isText(txn, idLengthMax)) throw refused("jti and txn are short texts.");
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 1)
    throw refused("seq must be a place in the stream, from 1.");
  if (!isNumericDate(iat)) throw refused("iat must be whole seconds.");
  if (isAhead(iat, now)) throw refused("iat lies in the future.");
  const issuedAt = fromNumericDate(iat);
  return {
    jti,
    txn,
    seq,
    issuedAt,
    subject: subjectOf(payload["sub_id"]),
    ...onlyEventOf(payload["events"]),
  };
}

function subjectOf(subject: Json | undefined): SubjectId {
  if (!isJsonObject(subject)) throw refused("sub_id must be an object.");
  const { format } = subject;
  if (!isText(format, idLengthMax)) throw refused("sub_id must have a format (RFC 9493 §3).");
  return { ...subject, format };
}

function onlyEventOf(events: Json | undefined): Pick<SecurityEvent, "type" | "name" | "data"> {
  const [only, ...more] = isJsonObject(events) ? Object.entries(events) : [];
  if (only === undefined || more.length > 0) throw refused("events must have exactly one member.");
  const [type, data] = only;
  if (!isJsonObject(data)) throw refused("What an event says is an object.");
  return { type, name: signalNameOf(type), data };
}

const isMeantFor = (aud: Json | undefined, audience: string): boolean =>
  aud === audience || (Array.isArray(aud) && aud.includes(audience));

const refused = (detail: string, err: SetError = "invalid_request"): Problem =>
  new Problem("invalid_request", { detail, extra: { err } });

/** The error of RFC 8935 §2.4 for what `verifySecurityEvent` threw; a signature that does not hold is of a wrong key. */
export const setErrorOf = (problem: Problem): SetError =>
  setErrors.find((err) => err === problem.extra?.["err"]) ??
  (problem.detail === undefined ? "invalid_key" : "invalid_request");
