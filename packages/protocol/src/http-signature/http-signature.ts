import {
  type Component,
  componentValue,
  fieldValue,
  type HeaderPair,
  type SignedMessage,
} from "./components.ts";
import {
  type InnerList,
  MalformedField,
  type Parameters,
  parseByteSequences,
  parseInnerLists,
  serialiseInnerList,
  serialiseParameters,
  serialiseString,
} from "./structured-fields.ts";

/** RFC 9421 §2.3. Times are NumericDate seconds. */
export type SignatureParameters = {
  readonly created?: number;
  readonly expires?: number;
  readonly nonce?: string;
  readonly keyid?: string;
  readonly alg?: string;
  readonly tag?: string;
};

/** A signature found in a message: what it covers, and the bytes that were signed. */
export type FoundSignature = {
  readonly components: readonly Component[];
  readonly parameters: SignatureParameters;
  readonly base: string;
  /** Base64 of the signature's bytes. */
  readonly signature: string;
};

const parameterNames = ["created", "expires", "nonce", "keyid", "alg", "tag"] as const;

/** The bytes to sign (RFC 9421 §2.5) and the value of `Signature-Input` for the label. */
export function prepareSignature(input: {
  readonly label: string;
  readonly components: readonly Component[];
  readonly parameters: SignatureParameters;
  readonly message: SignedMessage;
}): { readonly base: string; readonly signatureInput: string } {
  const list = innerListOf(input.components, input.parameters);
  return {
    base: signatureBase(list, input.components, input.message),
    signatureInput: `${input.label}=${serialiseInnerList(list)}`,
  };
}

/** The labelled signature of a message; undefined when there is none. Throws MalformedField on anything unclear. */
export function findSignature(label: string, message: SignedMessage): FoundSignature | undefined {
  const fields = (message.response ?? message.request).fields ?? [];
  const signature = member(label, parseByteSequences(fieldValue("signature", fields) ?? ""));
  const list = member(label, parseInnerLists(fieldValue("signature-input", fields) ?? ""));
  if (signature === undefined || list === undefined) return undefined;
  const components = list.items.map(({ value, parameters }) => componentOf(value, parameters));
  return {
    components,
    parameters: parametersOf(list.parameters),
    base: signatureBase(list, components, message),
    signature,
  };
}

/** `"@method";req "content-digest"`: equal texts cover equal components. */
export const componentsText = (components: readonly Component[]): string =>
  components.map(identifierOf).join(" ");

/** `Signature` of one label. */
export const signatureField = (label: string, signatureBase64: string): string =>
  `${label}=:${signatureBase64}:`;

/** `Content-Digest` (RFC 9530 §2) of a SHA-256 in base64. */
export const contentDigestField = (sha256Base64: string): string => `sha-256=:${sha256Base64}:`;

/** The SHA-256 in base64 that `Content-Digest` names; undefined when it names none. */
export function sha256OfContentDigest(fields: readonly HeaderPair[]): string | undefined {
  const text = fieldValue("content-digest", fields);
  return text === undefined ? undefined : member("sha-256", parseByteSequences(text));
}

const member = <T>(key: string, members: ReadonlyMap<string, T>): T | undefined => members.get(key);

function signatureBase(list: InnerList, components: readonly Component[], message: SignedMessage): string {
  const lines = components.map((part) => `${identifierOf(part)}: ${componentValue(part, message)}`);
  // RFC 9421 §2.5: a component covered twice, or a value with a line break, would make two messages look alike.
  if (new Set(components.map(identifierOf)).size !== components.length)
    throw new MalformedField("a component is covered twice");
  if (lines.some((line) => /[\r\n]/.test(line))) throw new MalformedField("a value has a line break");
  return [...lines, `"@signature-params": ${serialiseInnerList(list)}`].join("\n");
}

const identifierOf = ({ name, req }: Component): string =>
  serialiseString(name) + (req === true ? ";req" : "");

function componentOf(name: string, parameters: Parameters): Component {
  const known = parameters.size === 0 || (parameters.size === 1 && parameters.get("req") === true);
  if (!known) throw new MalformedField(`unknown parameter in ${name}${serialiseParameters(parameters)}`);
  if (name !== name.toLowerCase() || name === "@signature-params") throw new MalformedField("no component");
  return parameters.size === 0 ? { name } : { name, req: true };
}

function innerListOf(components: readonly Component[], parameters: SignatureParameters): InnerList {
  return {
    items: components.map(({ name, req }) => ({
      value: name,
      parameters: new Map(req === true ? [["req", true]] : []),
    })),
    parameters: new Map(
      parameterNames.flatMap((name) => {
        const value = parameters[name];
        return value === undefined ? [] : [[name, value] as const];
      }),
    ),
  };
}

function parametersOf(parameters: Parameters): SignatureParameters {
  const seconds = (name: string): number | undefined => {
    const value = parameters.get(name);
    if (value !== undefined && typeof value !== "number") throw new MalformedField(`${name} is no integer`);
    return value;
  };
  const text = (name: string): string | undefined => {
    const value = parameters.get(name);
    if (value !== undefined && typeof value !== "string") throw new MalformedField(`${name} is no string`);
    return value;
  };
  return defined({
    created: seconds("created"),
    expires: seconds("expires"),
    nonce: text("nonce"),
    keyid: text("keyid"),
    alg: text("alg"),
    tag: text("tag"),
  });
}

/** Leaves out what is undefined. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  // Object.entries forgets the type; filtering cannot add a member.
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as Partial<T>;
}
