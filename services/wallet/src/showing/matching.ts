/** As people type it: without case and without marks above letters. */
const plain = (text: string): string => text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();

/**
 * How well a text answers what was typed: every word of it must be in the text, and stands better at its beginning, then at
 * the beginning of a word, than inside of one. Undefined when one is missing; 0 when nothing was typed.
 */
function matchOf(typed: string, text: string): number | undefined {
  const within = plain(text);
  let score = 0;
  for (const word of plain(typed).split(/\s+/)) {
    if (word === "") continue;
    const at = within.indexOf(word);
    if (at === -1) return undefined;
    if (at === 0) score += 3;
    else if (within.includes(` ${word}`)) score += 2;
    else score += 1;
  }
  return score;
}

/** Those that answer, the best first; among equals as they stood. */
export const matching = <T>(typed: string, all: readonly T[], textOf: (one: T) => string): readonly T[] =>
  all
    .flatMap((one) => {
      const score = matchOf(typed, textOf(one));
      return score === undefined ? [] : [{ one, score }];
    })
    .toSorted((a, b) => b.score - a.score)
    .map(({ one }) => one);
