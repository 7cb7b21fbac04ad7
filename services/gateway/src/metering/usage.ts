import { type Fields, valuesOf } from "../proxy/index.ts";

/** Reads what a model says that it used, as the answers of OpenAI's API and its likes do. */
export type UsageReader = {
  /** The next bytes of an event stream. */
  read(chunk: Uint8Array): void;
  /** The same of what nobody was given: of the answer it counts nothing, of what was asked all. */
  readOn(chunk: Uint8Array): void;
  /** Tokens so far: as the model says, or one for each part of its answer until it does. */
  tokens(): number;
};

const lineBytesMax = 1 << 20;

type Counted = { input: number; output: number; total: number; parts: number };

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** A member of what may be anything. */
const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;

/**
 * Takes what one object of an answer says: chat, completions and embeddings (`usage`), responses (`response.usage`), and
 * the two halves that others tell apart (`message.usage`). Counts only rise, since a later word includes the one before.
 */
function take(counted: Counted, value: unknown): void {
  for (const holder of [value, memberOf(value, "response"), memberOf(value, "message")]) {
    const usage = memberOf(holder, "usage");
    const most = (name: keyof Counted, ...spellings: string[]): void => {
      for (const spelling of spellings) {
        const count = memberOf(usage, spelling);
        if (isCount(count)) counted[name] = Math.max(counted[name], count);
      }
    };
    most("input", "prompt_tokens", "input_tokens");
    most("output", "completion_tokens", "output_tokens");
    most("total", "total_tokens");
  }
}

const outputOf = ({ input, output, total }: Counted): number => Math.max(output, total - input);
const inputOf = (counted: Counted): number => Math.max(counted.input, counted.total - counted.output);

const saidBy = ({ input, output, total }: Counted): number => Math.max(total, input + output);

/** A part of the answer itself, and not only a word about it: one token at the least. */
function hasText(value: unknown): boolean {
  const choice = memberOf(memberOf(value, "choices"), "0");
  const delta = memberOf(choice, "delta");
  const texts = [memberOf(choice, "text"), memberOf(delta, "content"), memberOf(value, "delta")];
  return (
    texts.some((text) => typeof text === "string" && text !== "") ||
    memberOf(delta, "tool_calls") !== undefined
  );
}

/** Follows an event stream (SSE) as it passes by. What is no JSON is passed over. */
export function readUsage(): UsageReader {
  const counted: Counted = { input: 0, output: 0, total: 0, parts: 0 };
  let rest = Buffer.alloc(0);
  let isGiven = true;
  const readLine = (line: string): void => {
    if (!line.startsWith("data:")) return;
    const value = jsonOf(line.slice("data:".length));
    if (value === undefined) return;
    take(counted, value);
    if (isGiven && hasText(value)) counted.parts += 1;
  };
  const read = (chunk: Uint8Array): void => {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    const end = rest.lastIndexOf(0x0a);
    if (end !== -1) {
      for (const line of rest.subarray(0, end).toString().split(/\r?\n/)) readLine(line);
      rest = rest.subarray(end + 1);
    }
    // A line that never ends is none of a model's.
    if (rest.length > lineBytesMax) rest = Buffer.alloc(0);
  };
  return {
    read,
    readOn: (chunk) => {
      isGiven = false;
      read(chunk);
    },
    tokens: () =>
      isGiven
        ? Math.max(saidBy(counted), counted.parts)
        : inputOf(counted) + Math.min(outputOf(counted), counted.parts),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Tokens of a whole answer; 0 where it says nothing of them. */
export function tokensOf({ fields, body }: { readonly fields: Fields; readonly body: Uint8Array }): number {
  if (isEventStream(fields)) {
    const reader = readUsage();
    reader.read(body);
    reader.read(Buffer.from("\n"));
    return reader.tokens();
  }
  const counted: Counted = { input: 0, output: 0, total: 0, parts: 0 };
  take(counted, jsonOf(Buffer.from(body).toString()));
  return saidBy(counted);
}

export const isEventStream = (fields: Fields): boolean =>
  valuesOf(fields, "content-type").some((type) => /^\s*text\/event-stream\b/i.test(type));

/**
 * A request for a streamed answer, which says at its end what it used only when it is asked to. Bodies that are no such
 * request stay as they are, byte for byte.
 */
export function askingForUsage(body: Uint8Array | undefined): Uint8Array | undefined {
  const value = body === undefined ? undefined : jsonOf(Buffer.from(body).toString());
  // The Responses API says it unasked, and refuses the member.
  const isCompletion = ["messages", "prompt"].some((name) => memberOf(value, name) !== undefined);
  if (memberOf(value, "stream") !== true || !isCompletion) return body;
  const options = Object(memberOf(value, "stream_options") ?? {}) as object; // members that may be missing
  return Buffer.from(
    JSON.stringify({ ...Object(value), stream_options: { ...options, include_usage: true } }),
  );
}

export const isLastEvent = (chunk: Uint8Array): boolean =>
  chunk.length < 64 && Buffer.from(chunk).toString().trim() === "data: [DONE]";

/** Why nobody could tell what such a request will use; undefined for one that says it, or can be told to. */
export function uncountable(fields: Fields, body: Uint8Array | undefined): string | undefined {
  if (body === undefined) return undefined;
  if (valuesOf(fields, "content-encoding").some((coding) => !/^\s*identity\s*$/i.test(coding)))
    return "Its price is by what is used: send the body without a content coding.";
  const value = jsonOf(Buffer.from(body).toString());
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return "Its price is by what is used: send the body as a JSON object.";
  for (const [name, member] of Object.entries(value))
    if (name.toLowerCase() === "stream" && (name !== "stream" || typeof member !== "boolean"))
      return "stream is true or false.";
  return undefined;
}
