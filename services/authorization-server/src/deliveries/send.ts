import type { Outbound } from "@remit/platform/outbound";
import { Problem } from "@remit/protocol";
import type { Answer, AttemptError } from "./deliveries.ts";

export type Parcel = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
};

/** Of an answer. A larger one is given up, and is a failure (W06). */
const answerBytesMax = 64 * 1024;
const keptBytes = 1024;

/** One POST through the guard, which looks at the address it connects to, each time (W01, W02). Never throws. */
export async function send(outbound: Pick<Outbound, "request">, parcel: Parcel): Promise<Answer> {
  const { url, headers, body, timeoutMs } = parcel;
  try {
    const answer = await outbound.request({
      method: "POST",
      url,
      headers,
      body,
      timeoutMs,
      bodyBytesMax: answerBytesMax,
    });
    const { status } = answer;
    return { status, body: kept(answer.body), retryAfter: answer.headers["retry-after"] };
  } catch (error) {
    return { ...statusOf(error), error: errorOf(error) };
  }
}

// PostgreSQL has no NUL in a text.
const kept = (body: Uint8Array): string =>
  new TextDecoder().decode(body.subarray(0, keptBytes)).replaceAll("\0", "\ufffd");

function errorOf(error: unknown): AttemptError {
  if (!(error instanceof Problem)) return "no_answer";
  if (error.code === "outbound_refused") return "address_refused";
  switch (error.private?.["why"]) {
    case "timeout":
      return "timeout";
    case "too_large":
      return "response_too_large";
    case "encoded":
      return "response_encoded";
    default:
      return "no_answer";
  }
}

/** That of an answer whose body could not be read. */
function statusOf(error: unknown): Pick<Answer, "status"> {
  const status = error instanceof Problem ? error.private?.["status"] : undefined;
  return typeof status === "number" ? { status } : {};
}
