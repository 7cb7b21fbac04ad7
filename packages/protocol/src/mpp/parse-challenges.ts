import { type Challenge, challengeRequest } from "./challenge.ts";

type Found = { readonly scheme: string; readonly parameters: Map<string, string>; sound: boolean };

const valueMax = 8192;

/**
 * The `Payment` challenges in `WWW-Authenticate` values (RFC 9110 §11.6.1). Other schemes, unknown parameters and
 * challenges that are not sound are passed over. One pass from left to right: no input makes it slow.
 */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values
    .flatMap(parseValue)
    .filter(({ scheme, sound }) => sound && scheme.toLowerCase() === "payment")
    .flatMap(({ parameters }) => challengeOf(parameters) ?? []);
}

function challengeOf(parameters: ReadonlyMap<string, string>): Challenge | undefined {
  const required = ["id", "realm", "method", "intent", "request"].map((name) => parameters.get(name) ?? "");
  const [id = "", realm = "", method = "", intent = "", request = ""] = required;
  if (required.includes("") || challengeRequest({ request }) === undefined) return undefined;
  const optional = (["expires", "digest", "description", "opaque", "header"] as const).flatMap((name) => {
    const value = parameters.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { id, realm, method, intent, request, ...Object.fromEntries(optional) };
}

function parseValue(value: string): Found[] {
  const found: Found[] = [];
  let at = 0;
  while (at < value.length) {
    at = skip(value, at, " \t,");
    const token = tokenAt(value, at);
    if (token === "") {
      at = nextComma(value, at);
      continue;
    }
    at += token.length;
    const equals = skip(value, at, " \t");
    const current = found.at(-1);
    if (value.charAt(equals) !== "=" || current === undefined)
      found.push({ scheme: token, parameters: new Map(), sound: true });
    else at = readParameter(value, skip(value, equals + 1, " \t"), { current, name: token.toLowerCase() });
  }
  return found;
}

/** Reads a parameter's value; a parameter given twice, or a quote never closed, makes the challenge unsound. */
function readParameter(value: string, start: number, into: { current: Found; name: string }): number {
  const { current, name } = into;
  const isQuoted = value.charAt(start) === '"';
  const { text, end } = isQuoted ? quotedAt(value, start) : { text: tokenAt(value, start), end: undefined };
  if (text === undefined || text.length > valueMax || current.parameters.has(name)) current.sound = false;
  else current.parameters.set(name, text);
  // What follows a value up to the comma says nothing: an unescaped quote inside a description ends it early.
  return nextComma(value, end ?? start + (text?.length ?? 0));
}

function quotedAt(value: string, start: number): { text: string | undefined; end: number } {
  let text = "";
  for (let i = start + 1; i < value.length; i++) {
    const character = value.charAt(i);
    if (character === '"') return { text, end: i + 1 };
    text += character === "\\" ? value.charAt(++i) : character;
  }
  return { text: undefined, end: value.length };
}

function tokenAt(value: string, start: number): string {
  let end = start;
  while (end < value.length && /[\w!#$%&'*+.^`|~-]/.test(value.charAt(end))) end++;
  return value.slice(start, end);
}

function skip(value: string, start: number, characters: string): number {
  let at = start;
  while (at < value.length && characters.includes(value.charAt(at))) at++;
  return at;
}

function nextComma(value: string, start: number): number {
  const comma = value.indexOf(",", start);
  return comma === -1 ? value.length : comma + 1;
}
