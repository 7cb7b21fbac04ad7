const wordCharactersMax = 64;

/** The words of a text: runs of letters and digits, in lower case and one spelling (NFKC). */
export const wordsIn = (text: string): string[] => [
  ...new Set(
    text
      .normalize("NFKC")
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter((word) => word !== "")
      .map((word) => Array.from(word).slice(0, wordCharactersMax).join("")),
  ),
];

/** A capability as a word that no text has. */
export const wordOfCapability = (capability: string): string => `=${capability}`;

/** What a listing is found by. */
export const wordsOf = ({
  name,
  capabilities,
}: {
  readonly name: string;
  readonly capabilities: readonly string[];
}): string[] => [
  ...new Set([
    ...wordsIn(name),
    ...capabilities.flatMap((capability) => [wordOfCapability(capability), ...wordsIn(capability)]),
  ]),
];
