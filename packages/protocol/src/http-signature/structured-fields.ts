/** A parameter's value of RFC 9651 §3.3, as far as HTTP signatures use them. */
export type BareItem = string | number | boolean;
export type Parameters = ReadonlyMap<string, BareItem>;
export type Item = { readonly value: string; readonly parameters: Parameters };
export type InnerList = { readonly items: readonly Item[]; readonly parameters: Parameters };

/** Thrown for text that is no structured field of the kind asked for; callers turn it into their refusal. */
export class MalformedField extends Error {
  override readonly name = "MalformedField";
}

/** RFC 9651 §4.2.2 for `Signature-Input`: a dictionary of inner lists of strings. A label may occur once. */
export const parseInnerLists = (text: string): ReadonlyMap<string, InnerList> =>
  parseDictionary(text, (reader) => readInnerList(reader));

/** RFC 9651 §4.2.2 for `Signature` and `Content-Digest`: a dictionary of byte sequences, still in base64. */
export const parseByteSequences = (text: string): ReadonlyMap<string, string> =>
  parseDictionary(text, (reader) => {
    const bytes = reader.take(/:([A-Za-z0-9+/]*={0,2}):/y);
    readParameters(reader);
    return bytes.slice(1, -1);
  });

/** RFC 9651 §4.1.1.1. */
export function serialiseInnerList({ items, parameters }: InnerList): string {
  const parts = items.map((item) => serialiseString(item.value) + serialiseParameters(item.parameters));
  return `(${parts.join(" ")})${serialiseParameters(parameters)}`;
}

/** RFC 9651 §4.1.6: visible ASCII and space alone. */
export function serialiseString(value: string): string {
  if (!/^[\x20-\x7e]*$/.test(value)) throw new MalformedField("a string is visible ASCII");
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

export function serialiseParameters(parameters: Parameters): string {
  return [...parameters]
    .map(([key, value]) => (value === true ? `;${key}` : `;${key}=${serialiseBareItem(value)}`))
    .join("");
}

function serialiseBareItem(value: BareItem): string {
  if (typeof value === "boolean") return value ? "?1" : "?0";
  return typeof value === "number" ? String(value) : serialiseString(value);
}

function parseDictionary<T>(text: string, readValue: (reader: Reader) => T): ReadonlyMap<string, T> {
  const reader = new Reader(text.trim());
  const members = new Map<string, T>();
  while (!reader.done()) {
    const key = reader.take(/[a-z*][a-z0-9_\-.*]*/y);
    // RFC 9651 lets the last of two equal keys win; a signature that occurs twice is refused instead.
    if (members.has(key)) throw new MalformedField("a key occurs twice");
    reader.take(/=/y);
    members.set(key, readValue(reader));
    if (reader.done()) break;
    reader.take(/[ \t]*,[ \t]*(?!$)/y);
  }
  return members;
}

function readInnerList(reader: Reader): InnerList {
  const items: Item[] = [];
  reader.take(/\( */y);
  while (!reader.skip(/\)/y)) {
    items.push({ value: readString(reader), parameters: readParameters(reader) });
    if (!reader.skip(/ +/y)) reader.peek(/\)/y);
  }
  return { items, parameters: readParameters(reader) };
}

function readParameters(reader: Reader): Parameters {
  const parameters = new Map<string, BareItem>();
  while (reader.skip(/; */y)) {
    const key = reader.take(/[a-z*][a-z0-9_\-.*]*/y);
    if (parameters.has(key)) throw new MalformedField("a parameter occurs twice");
    parameters.set(key, reader.skip(/=/y) ? readBareItem(reader) : true);
  }
  return parameters;
}

function readBareItem(reader: Reader): BareItem {
  const boolean = reader.skip(/\?[01]/y);
  if (boolean !== undefined) return boolean === "?1";
  const integer = reader.skip(/-?\d{1,15}(?![\d.])/y);
  return integer === undefined ? readString(reader) : Number(integer);
}

const readString = (reader: Reader): string =>
  reader
    .take(/"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y)
    .slice(1, -1)
    .replace(/\\(["\\])/g, "$1");

/** Reads a text from left to right with sticky patterns, so that nothing is passed over. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  done(): boolean {
    return this.#at === this.#text.length;
  }

  take(pattern: RegExp): string {
    const found = this.skip(pattern);
    if (found === undefined) throw new MalformedField(`unexpected text at ${this.#at}`);
    return found;
  }

  skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  peek(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) throw new MalformedField(`unexpected text at ${this.#at}`);
  }
}
