import { randomBytes } from "node:crypto";

/** A text that is the same for many but for one word, in the pieces around it. */
export type Blank = readonly string[];

/** Stands for the word while the text is made. Nobody can guess it, so no text of anybody else's has it. */
export const hole = randomBytes(24).toString("base64url");

export const blankOf = (text: string): Blank => text.split(hole);

export const filled = (blank: Blank, word: string): string =>
  blank.length === 1 ? (blank[0] ?? "") : blank.join(word);
