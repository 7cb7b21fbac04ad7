import { createHash } from "node:crypto";
import type { PolicyAnswer } from "./port.ts";

/** The answers of one engine that are kept. */
export type KeptAnswers = {
  get(key: string): PolicyAnswer | undefined;
  set(key: string, answer: PolicyAnswer): void;
};

const statementsMax = 32;

/** The answers of all engines under one bound: there is an engine to each tenant, and there may be many of these. */
export function createKeptAnswers(answersMax: number): { ofNext(): KeptAnswers } {
  const kept = new Map<string, PolicyAnswer>();
  let engines = 0;
  return {
    ofNext() {
      engines += 1;
      const engine = engines;
      // Keys name scopes and agents at length: a digest is as long for all.
      const nameOf = (key: string): string =>
        createHash("sha256").update(`${engine} ${key}`).digest("base64");
      return {
        get: (key) => kept.get(nameOf(key)),
        set(key, answer) {
          if (answer.errors.length > 0 || answer.determining.length > statementsMax) return;
          const [oldest] = kept.keys();
          if (kept.size >= answersMax && oldest !== undefined) kept.delete(oldest);
          kept.set(nameOf(key), answer);
        },
      };
    },
  };
}
