import { AgentRefused } from "@remit/agent";
import { StartRefused } from "@remit/embedded";
import { Problem } from "@remit/protocol";

/** What a service refused, with its code and what it advises. */
export class AnswerRefused extends Error {
  override readonly name = "AnswerRefused";
  readonly code: string | undefined;
  readonly remedy: string | undefined;

  constructor(message: string, { code, remedy }: { code?: string | undefined; remedy?: string | undefined }) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

/** What a command refused with, in a sentence. REMIT_DEBUG shows the stack. */
export function sentenceOf(error: unknown): string {
  if (error instanceof StartRefused) return `${error.message}\n${error.remedy}`;
  if (error instanceof AnswerRefused && error.remedy !== undefined)
    return `${error.message}\n${error.remedy}`;
  if (error instanceof Problem) return `${error.code}: ${error.detail ?? error.message}`;
  if (error instanceof AgentRefused) return error.message;
  if (!(error instanceof Error)) return String(error);
  return process.env.REMIT_DEBUG === undefined ? error.message : (error.stack ?? error.message);
}
