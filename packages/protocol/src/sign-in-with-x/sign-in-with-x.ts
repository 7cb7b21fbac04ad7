import { after, fromRfc3339, type Instant, secondMs } from "@remit/kernel";
import { base64, decodeUtf8, isJsonObject, type JsonObject, parseJson, utf8 } from "../encoding/index.ts";
import { clockSkewS } from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** What the holder of a wallet has signed to say who it is (EIP-4361, CAIP-122). */
export type SignIn = {
  /** Host (and port) of the origin that is signed in to. */
  readonly domain: string;
  /** As it was written: `0x` and 40 hex digits. */
  readonly address: string;
  readonly statement?: string;
  readonly uri: string;
  readonly version: "1";
  /** CAIP-2, `eip155:8453`. */
  readonly chainId: string;
  readonly nonce: string;
  readonly issuedAt: string;
  readonly expirationTime?: string;
  readonly notBefore?: string;
  readonly requestId?: string;
  readonly resources?: readonly string[];
};

/** A sign-in as it was presented. Whose signature it is has yet to be found out. */
export type SignedIn = { readonly signIn: SignIn; readonly text: string; readonly signature: string };

/** The header of x402's extension `sign-in-with-x`: base64 of JSON. */
export const signInHeader = "SIGN-IN-WITH-X";

/** How long ago a text may have been signed. */
export const signInWindowS = 600;

const bytesMax = 8 * 1024;

/** EIP-4361 §"ABNF Message Format": without a statement its place stays empty. */
export function signInText(signIn: SignIn): string {
  const { domain, address, statement, uri, version, chainId, nonce, issuedAt } = signIn;
  const optional = [
    ...(signIn.expirationTime === undefined ? [] : [`Expiration Time: ${signIn.expirationTime}`]),
    ...(signIn.notBefore === undefined ? [] : [`Not Before: ${signIn.notBefore}`]),
    ...(signIn.requestId === undefined ? [] : [`Request ID: ${signIn.requestId}`]),
    ...(signIn.resources === undefined
      ? []
      : ["Resources:", ...signIn.resources.map((uriOf) => `- ${uriOf}`)]),
  ];
  return [
    `${domain} wants you to sign in with your Ethereum account:`,
    address,
    "",
    ...(statement === undefined ? [] : [statement]),
    "",
    `URI: ${uri}`,
    `Version: ${version}`,
    `Chain ID: ${chainId.replace("eip155:", "")}`,
    `Nonce: ${nonce}`,
    `Issued At: ${issuedAt}`,
    ...optional,
  ].join("\n");
}

const grammar = new RegExp(
  [
    "^(?<domain>[A-Za-z0-9.\\-\\[\\]:]{1,255}) wants you to sign in with your Ethereum account:",
    "(?<address>0x[0-9A-Fa-f]{40})",
    "",
    "(?:(?<statement>[\\x20-\\x7e]+)\n)?",
  ].join("\n") +
    [
      "\nURI: (?<uri>[\\x21-\\x7e]+)",
      "Version: (?<version>1)",
      "Chain ID: (?<chain>[1-9]\\d{0,17})",
      "Nonce: (?<nonce>[A-Za-z0-9]{8,128})",
      "Issued At: (?<issuedAt>[\\x21-\\x7e]+)",
    ].join("\n") +
    [
      "(?:\nExpiration Time: (?<expirationTime>[\\x21-\\x7e]+))?",
      "(?:\nNot Before: (?<notBefore>[\\x21-\\x7e]+))?",
      "(?:\nRequest ID: (?<requestId>[\\x21-\\x7e]*))?",
      "(?<resources>\nResources:(?:\n- [\\x21-\\x7e]+)*)?$",
    ].join(""),
);

/** The one reading of a signed text; what has another is refused. */
export function parseSignInText(text: string): SignIn {
  const found = grammar.exec(text)?.groups;
  if (found === undefined) throw invalid("The text is no EIP-4361 message.");
  const { domain = "", address = "", uri = "", chain = "", nonce = "", issuedAt = "" } = found;
  const { statement, expirationTime, notBefore, requestId, resources } = found;
  return {
    domain,
    address,
    ...(statement !== undefined && { statement }),
    uri,
    version: "1",
    chainId: `eip155:${chain}`,
    nonce,
    issuedAt,
    ...(expirationTime !== undefined && { expirationTime }),
    ...(notBefore !== undefined && { notBefore }),
    ...(requestId !== undefined && { requestId }),
    ...(resources !== undefined && { resources: resources.split("\n- ").slice(1) }),
  };
}

/** What the header carries. Text is made of its members and read again, so that no member runs into the next. */
export function readSignIn(header: string): SignedIn {
  const bytes = base64.decode(header);
  if (bytes === undefined || bytes.length > bytesMax) throw invalid(`${signInHeader} is no base64 of JSON.`);
  const members = parsed(bytes);
  const { signature, type } = members;
  if (type !== "eip191" || typeof signature !== "string")
    throw invalid("Only signatures of externally owned accounts (eip191) are understood.");
  const claimed = signInOf(members);
  const text = signInText(claimed);
  const signIn = parseSignInText(text);
  if (signInText(signIn) !== text || signIn.statement !== claimed.statement || signIn.uri !== claimed.uri)
    throw invalid("The members do not make an EIP-4361 message.");
  return { signIn, text, signature };
}

function parsed(bytes: Uint8Array): JsonObject {
  const text = decodeUtf8(bytes);
  try {
    const value = text === undefined ? undefined : parseJson(bytes, { bytesMax });
    if (isJsonObject(value)) return value;
  } catch {
    // told of below
  }
  throw invalid(`${signInHeader} is no base64 of JSON.`);
}

function signInOf(members: JsonObject): SignIn {
  const text = (name: string): string => {
    const value = members[name];
    if (typeof value !== "string") throw invalid(`${name} is missing.`);
    return value;
  };
  const optional = (name: "statement" | "expirationTime" | "notBefore" | "requestId"): object =>
    members[name] === undefined ? {} : { [name]: text(name) };
  const { resources } = members;
  if (text("version") !== "1") throw invalid("version is not 1.");
  if (!text("chainId").startsWith("eip155:")) throw invalid("chainId names no EVM chain.");
  if (resources !== undefined && !isListOfText(resources))
    throw invalid("resources is no list of addresses.");
  return {
    domain: text("domain"),
    address: text("address"),
    ...optional("statement"),
    uri: text("uri"),
    version: "1",
    chainId: text("chainId"),
    nonce: text("nonce"),
    issuedAt: text("issuedAt"),
    ...optional("expirationTime"),
    ...optional("notBefore"),
    ...optional("requestId"),
    ...(resources !== undefined && { resources }),
  };
}

const isListOfText = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === "string");

/** The header's value for a text that has been signed. */
export const formatSignIn = ({ signIn, signature }: Pick<SignedIn, "signIn" | "signature">): string =>
  base64.encode(utf8(JSON.stringify({ ...signIn, type: "eip191", signature })));

/** That the text is meant for this origin, and now (EIP-4361 §"Verifying a signed Message"). */
export function examineSignIn(
  signIn: SignIn,
  { origin, now }: { readonly origin: string; readonly now: Instant },
): void {
  // The domain is what a wallet shows: without this check, a text signed for one site would open another.
  if (signIn.domain.toLowerCase() !== new URL(origin).host) throw invalid("It was signed for another host.");
  if (!URL.canParse(signIn.uri) || new URL(signIn.uri).origin !== origin)
    throw invalid("Its URI is not of this origin.");
  const issuedAt = instantOf(signIn.issuedAt, "Issued At");
  if (issuedAt > after(now, clockSkewS * secondMs)) throw invalid("It was signed in the future.");
  if (now - issuedAt >= signInWindowS * secondMs)
    throw invalid(`It was signed more than ${signInWindowS} s ago.`);
  const { expirationTime, notBefore } = signIn;
  if (expirationTime !== undefined && instantOf(expirationTime, "Expiration Time") <= now)
    throw invalid("It has expired.");
  if (notBefore !== undefined && instantOf(notBefore, "Not Before") > after(now, clockSkewS * secondMs))
    throw invalid("It does not count yet.");
}

function instantOf(text: string, name: string): Instant {
  const instant = fromRfc3339(text);
  if (instant === undefined) throw invalid(`${name} is no time of RFC 3339.`);
  return instant;
}

const invalid = (detail: string): Problem => new Problem("sign_in_invalid", { detail });
