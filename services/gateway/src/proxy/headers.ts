/** Headers in the order and spelling of the wire; a name may occur more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

// RFC 9110 §7.6.1: they speak of one connection, and end at each hop.
const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

// Sent by a client they would be believed as ours (who pays, what is proven, where the request came from), or make the
// upstream answer for another path or method than the one that was matched (V12).
const neverUpward = new Set([
  ...hopByHop,
  "host",
  "expect",
  "payment-signature",
  "payment-authorization",
  "x-payment",
  "sign-in-with-x",
  "forwarded",
  "via",
  "x-real-ip",
  "x-original-uri",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
]);
const neverUpwardPrefixes = ["x-payment-", "x-remit-", "remit-", "x-forwarded-", "x-verified-"];

// What a request is sold for is its whole answer: a conditional or partial one would let a 304 or 206 be paid for and
// kept in place of the whole. Its body has been read, and its length is what was read.
const neverUpwardPaid = new Set([
  "content-length",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
]);

// What the gateway says itself, and what an upstream must not say in its name.
const neverDownward = new Set([
  ...hopByHop,
  "payment-required",
  "payment-response",
  "payment-receipt",
  "payment-authorization",
  "x-payment",
  "x-payment-response",
  "remit-receipt",
  "remit-credit",
  "idempotent-replayed",
  "x-request-id",
]);

/** Of a paid answer: it is sent whole, and no cache between keeps it. */
const neverDownwardPaid = new Set(["content-length", "cache-control", "expires", "pragma"]);

/** node's flat list of names and values as fields. */
export function fieldsOf(rawHeaders: readonly string[]): Fields {
  const fields: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    fields.push([rawHeaders[index] ?? "", rawHeaders[index + 1] ?? ""]);
  return fields;
}

/** All values of a header, by its lower-case name. */
export const valuesOf = (fields: Fields, name: string): string[] =>
  fields.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);

/** What the upstream gets of the headers of a request that is paid for, and what the gateway adds. */
export function upwardFields(fields: Fields, identity: Readonly<Record<string, string>>): Fields {
  const isOfThisHop = hopNamesOf(valuesOf(fields, "connection"));
  const kept = fields.filter(([name, value]) => {
    const plain = plainNameOf(name);
    return mayPassUp(plain, value) && !neverUpwardPaid.has(plain) && !isOfThisHop(plain);
  });
  return [...kept, ...Object.entries(identity)];
}

/** What the buyer gets of the upstream's headers. */
export function downwardFields(fields: Fields): Fields {
  const isOfThisHop = hopNamesOf(valuesOf(fields, "connection"));
  return fields.filter(([field]) => {
    const name = field.toLowerCase();
    return !neverDownward.has(name) && !neverDownwardPaid.has(name) && !isOfThisHop(name);
  });
}

/** Names that the gateway has read and the upstream does not get: a token that let the caller in, for one. */
export type Withheld = ReadonlySet<string>;

/** What the upstream gets of a request that is passed through, as the flat list that undici takes. */
export function passedUp(
  rawHeaders: readonly string[],
  added: readonly string[],
  withheld: Withheld,
): string[] {
  const isOfThisHop = hopNamesOf(connectionValuesOf(rawHeaders));
  const passed: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    const plain = plainNameOf(name);
    if (mayPassUp(plain, value) && !withheld.has(plain) && !isOfThisHop(plain)) passed.push(name, value);
  }
  passed.push(...added);
  return passed;
}

/** What the caller gets of the headers of an answer that is passed through. `Trailer` stays where trailers can follow. */
export function passedDown(
  rawHeaders: readonly string[],
  { mayHaveTrailers }: { readonly mayHaveTrailers: boolean },
): string[] {
  const isOfThisHop = hopNamesOf(connectionValuesOf(rawHeaders));
  const passed: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const plain = name.toLowerCase();
    const passes = !neverDownward.has(plain) || (plain === "trailer" && mayHaveTrailers);
    if (passes && !isOfThisHop(plain)) passed.push(name, rawHeaders[index + 1] ?? "");
  }
  return passed;
}

// RFC 9110 §6.5.1: what frames, routes or authenticates a message, or is read before its body, is no trailer.
const neverTrailing = new Set([
  ...neverDownward,
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "host",
  "set-cookie",
]);

/** What may follow the body. */
export const passedTrailers = (
  trailers: Readonly<Record<string, string | string[] | undefined>>,
): [string, string][] =>
  Object.entries(trailers).flatMap(([name, values]) =>
    values === undefined || neverTrailing.has(name.toLowerCase())
      ? []
      : [values].flat().map((value): [string, string] => [name, value]),
  );

// CGI and its heirs read "_" as "-": X_Remit_Agent would arrive as X-Remit-Agent.
const plainNameOf = (name: string): string => {
  const lower = name.toLowerCase();
  return lower.includes("_") ? lower.replaceAll("_", "-") : lower;
};

// What pays here or opens a gate here opens it again for whoever learns of it.
const isForGateway = /^(?:(?:payment|siwx)(?:\s|$)|bearer\s+siwx_)/i;

function mayPassUp(plain: string, value: string): boolean {
  if (neverUpward.has(plain)) return false;
  if (neverUpwardPrefixes.some((prefix) => plain.startsWith(prefix))) return false;
  return plain !== "authorization" || !isForGateway.test(value.trim());
}

function connectionValuesOf(rawHeaders: readonly string[]): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    if (
      rawHeaders[index]?.length === "connection".length &&
      rawHeaders[index]?.toLowerCase() === "connection"
    )
      values.push(rawHeaders[index + 1] ?? "");
  return values;
}

const none = (): boolean => false;

/** Which names `Connection` declares to be of this hop too. */
function hopNamesOf(connection: readonly string[]): (plain: string) => boolean {
  if (connection.every((value) => /^(?:keep-alive|close)$/i.test(value))) return none;
  const tokens = connection.join(",").toLowerCase().split(",");
  const named = new Set(tokens.map((token) => plainNameOf(token.trim())));
  return (plain) => named.has(plain);
}
