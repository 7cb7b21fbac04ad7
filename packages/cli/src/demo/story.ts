import type { Exchange } from "@remit/agent";
import { bold, faint, good, print } from "../output.ts";

/** One step of the purchase: what happened, in words, and the messages that made it happen. */
export type Step = { readonly step: string; readonly detail: string; readonly messages: readonly Exchange[] };

/** Tells the purchase while it happens, and remembers it. */
export type Story = {
  hear(message: Exchange): void;
  tell(step: string, detail: string): void;
  readonly steps: readonly Step[];
};

export function createStory(aloud: boolean): Story {
  const steps: Step[] = [];
  let heard: Exchange[] = [];
  return {
    steps,
    hear: (message) => void heard.push(message),
    tell(step, detail) {
      const told = { step, detail, messages: heard };
      heard = [];
      steps.push(told);
      if (aloud) print(inWords(told, steps.length));
    },
  };
}

const inWords = ({ step, detail, messages }: Step, number: number): string =>
  [
    `\n${good("✓")} ${bold(`${number}. ${step}`)}  ${detail}`,
    ...messages.flatMap(({ request, response }) => [
      faint(`    → ${request.method} ${request.url}`),
      ...lines(request.headers, shownOfRequest),
      ...(request.body === undefined ? [] : [faint(`      ${short(request.body)}`)]),
      faint(`    ← ${response.status}`),
      ...lines(response.headers, shownOfResponse),
      ...(response.body === "" ? [] : [faint(`      ${short(response.body)}`)]),
    ]),
  ].join("\n");

const shownOfRequest = ["authorization", "dpop", "payment-signature"];
const shownOfResponse = [
  "payment-required",
  "www-authenticate",
  "payment-response",
  "payment-receipt",
  "remit-receipt",
  "location",
];

const lines = (headers: Readonly<Record<string, string>>, names: readonly string[]): string[] =>
  names.flatMap((name) =>
    headers[name] === undefined ? [] : [faint(`      ${name}: ${short(headers[name])}`)],
  );

const widthMax = 160;

const short = (text: string): string => {
  const line = text.replace(/\s+/g, " ").replace(/(ey[\w-]{24})[\w.~-]{40,}/g, "$1…");
  return line.length > widthMax ? `${line.slice(0, widthMax)}… (${text.length} characters)` : line;
};
