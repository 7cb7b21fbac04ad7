import { AgentRefused } from "@remit/agent";
import { StartRefused } from "@remit/embedded";
import { Problem } from "@remit/protocol";

/** What a command refused with, in a sentence. REMIT_DEBUG shows the stack. */
export function sentenceOf(error: unknown): string {
  if (error instanceof StartRefused) return `${error.message}\n${error.remedy}`;
  if (error instanceof Problem) return `${error.code}: ${error.detail ?? error.message}`;
  if (error instanceof AgentRefused) return error.message;
  if (!(error instanceof Error)) return String(error);
  return process.env.REMIT_DEBUG === undefined ? error.message : (error.stack ?? error.message);
}
