import { randomBytes } from "node:crypto";
import { invariant } from "@remit/kernel";

/** A text that is the same for many but for one word, in the pieces around it. */
export type Blank = readonly string[];

/** Stands for the word while the text is made. Nobody can guess it, so no text of anybody else's has it. */
export const hole = randomBytes(24).toString("base64url");

export const blankOf = (text: string): Blank => text.split(hole);

export const filled = (blank: Blank, word: string): string =>
  blank.length === 1 ? (blank[0] ?? "") : blank.join(word);

/** A blank in base64, of whose word the length is known: each time only the word is encoded, with the bytes that share its groups of three. */
export type EncodedBlank = {
  readonly encoding: Encoding;
  /** Encoded already. */
  readonly pieces: readonly string[];
  /** The bytes before and behind each word, one character each. */
  readonly around: readonly (readonly [string, string])[];
};

type Encoding = "base64" | "base64url";

export function encodedBlank(blank: Blank, length: number, encoding: Encoding): EncodedBlank {
  const pieces: string[] = [];
  const around: [string, string][] = [];
  let before = "";
  for (const [index, piece] of blank.entries()) {
    const bytes = Buffer.from(piece);
    const used = index === 0 ? 0 : (3 - ((before.length + length) % 3)) % 3;
    const isLast = index === blank.length - 1;
    const end = isLast ? bytes.length : bytes.length - ((bytes.length - used) % 3);
    invariant(used <= end, "two words are further apart than a group of three");
    if (index > 0) around.push([before, bytes.toString("latin1", 0, used)]);
    pieces.push(bytes.toString(encoding, used, end));
    before = bytes.toString("latin1", end);
  }
  return { encoding, pieces, around };
}

/** The same as to fill the blank in and to encode it then. The word is ASCII, and as long as was said. */
export function encoded({ encoding, pieces, around }: EncodedBlank, word: string): string {
  let text = pieces[0] ?? "";
  for (let index = 0; index < around.length; index++) {
    const [before = "", after = ""] = around[index] ?? [];
    text += Buffer.from(before + word + after, "latin1").toString(encoding) + (pieces[index + 1] ?? "");
  }
  return text;
}

/** A text in which several words are left open, in pieces and the numbers of the words between them. */
export type Form = { readonly pieces: readonly string[]; readonly order: readonly number[] };

/** Stand for the words of a form, as `hole` does for the one of a blank. */
export const holes = Array.from({ length: 3 }, () => randomBytes(24).toString("base64url"));

export function formOf(text: string): Form {
  const parts = text.split(new RegExp(`(${holes.join("|")})`));
  return {
    pieces: parts.filter((_, index) => index % 2 === 0),
    order: parts.filter((_, index) => index % 2 === 1).map((found) => holes.indexOf(found)),
  };
}

export function written({ pieces, order }: Form, words: readonly string[]): string {
  let text = pieces[0] ?? "";
  for (let index = 0; index < order.length; index++)
    text += (words[order[index] ?? 0] ?? "") + (pieces[index + 1] ?? "");
  return text;
}
