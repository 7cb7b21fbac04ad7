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

// Sent by a buyer they would be believed as ours: who paid, what is proven, where the request came from. A conditional
// or partial request would let a 304 or 206 be paid for and kept in place of the whole.
const neverUpward = [
  ...hopByHop,
  "host",
  "content-length",
  "expect",
  "payment-signature",
  "payment-authorization",
  "x-payment",
  "forwarded",
  "via",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
];
const neverUpwardPrefixes = ["x-payment-", "x-remit-", "remit-", "x-forwarded-"];

// What the gateway says itself, and what an upstream must not say in its name.
const neverDownward = [
  ...hopByHop,
  "content-length",
  "cache-control",
  "expires",
  "pragma",
  "payment-required",
  "payment-response",
  "payment-receipt",
  "payment-authorization",
  "x-payment",
  "x-payment-response",
  "remit-receipt",
  "idempotent-replayed",
  "x-request-id",
];

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

/** What the upstream gets of the buyer's headers, and what the gateway adds. */
export function upwardFields(fields: Fields, identity: Readonly<Record<string, string>>): Fields {
  const named = connectionNames(fields);
  const kept = fields.filter(([name, value]) => {
    // CGI and its heirs read "_" as "-": X_Remit_Agent would arrive as X-Remit-Agent.
    const plain = name.toLowerCase().replaceAll("_", "-");
    if (neverUpward.includes(plain) || named.has(plain)) return false;
    if (neverUpwardPrefixes.some((prefix) => plain.startsWith(prefix))) return false;
    return plain !== "authorization" || !/^payment(?:\s|$)/i.test(value.trim());
  });
  return [...kept, ...Object.entries(identity)];
}

/** What the buyer gets of the upstream's headers. */
export function downwardFields(fields: Fields): Fields {
  const named = connectionNames(fields);
  return fields.filter(
    ([name]) => !neverDownward.includes(name.toLowerCase()) && !named.has(name.toLowerCase()),
  );
}

/** The names that `Connection` declares to be of this hop too. */
function connectionNames(fields: Fields): Set<string> {
  const tokens = valuesOf(fields, "connection").join(",").toLowerCase().split(",");
  return new Set(tokens.map((token) => token.trim().replaceAll("_", "-")));
}
