import { type PaymentRequired, type Problem, problems } from "@remit/protocol";
import type { Terms } from "./terms.ts";
import type { Wanted } from "./wanted.ts";

/** The JSON of the 402 in x402 v2's words, whatever carries it. Entries and extensions are JSON already. */
export function requiredText(
  { url, route }: Wanted,
  { requirements, extensions }: Pick<Terms, "requirements" | "extensions">,
  error: string,
): string {
  const rest: Omit<PaymentRequired, "accepts" | "extensions"> = {
    x402Version: 2,
    error,
    resource: { url, description: route.name },
  };
  return `${JSON.stringify(rest).slice(0, -1)},"accepts":${requirements},"extensions":${extensions}}`;
}

/** A rail's own word where there is one: clients of x402 act on it. */
export function errorOf(problem: Problem): string {
  const reason = problem.extra?.["reason"];
  return typeof reason === "string" ? reason : sentenceOf(problem);
}

/** What went wrong, for people. */
export const sentenceOf = ({ detail, code }: Problem): string => detail ?? problems[code].title;
