import { zipSync } from "fflate";
import { go } from "./go.ts";
import { java } from "./java.ts";
import { envExample, type Facts, slugOf, titleOf } from "./project.ts";
import { python } from "./python.ts";
import { rust } from "./rust.ts";
import { typescript } from "./typescript.ts";

const languages = { typescript, python, go, java, rust } as const;

export type Language = keyof typeof languages;

export type About = {
  readonly apiUrl: string;
  readonly agentId: string;
  readonly name: string;
  readonly scopes: readonly string[];
};

/** A program for an agent: it gets a token and asks what is known of it. The paths are ours, whatever the agent is called. */
export function projectFor(language: Language, { name, ...about }: About): Readonly<Record<string, string>> {
  const facts: Facts = { ...about, slug: slugOf(name), title: titleOf(name) };
  return { ...languages[language](facts), ".env.example": envExample(facts) };
}

// The first moment that a zip can tell: what is the same has the same bytes, whenever it is asked for. The format keeps
// local time, so this is the same text in every zone.
const madeAt = "1980-01-01T00:00:00";

export function zipOf(files: Readonly<Record<string, string>>): Uint8Array {
  const text = new TextEncoder();
  const entries = Object.entries(files).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return zipSync(Object.fromEntries(entries.map(([path, content]) => [path, text.encode(content)])), {
    mtime: madeAt,
    level: 9,
  });
}
