import type { IncomingMessage } from "node:http";
import { InvariantViolation } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Log } from "../telemetry/index.ts";

const issuesMax = 10;
const textLengthMax = 300;

/** Parses what came from outside; the refusal names each wrong member by its path, never by its value. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusedIssues(parsed.error);
}

function refusedIssues(error: z.ZodError): Problem {
  const errors = error.issues.slice(0, issuesMax).map((issue) => ({
    path: issue.path.map(String).join(".").slice(0, textLengthMax),
    message: issue.message.slice(0, textLengthMax),
  }));
  const first = errors[0];
  const detail =
    first === undefined || first.path === "" ? first?.message : `${first.path}: ${first.message}`;
  return new Problem("invalid_request", { detail: detail ?? "The request is not valid.", extra: { errors } });
}

/** The Problem that an error is to the caller: its own, a translation, or 500 without a word of what happened. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InvariantViolation) return new Problem("internal_error", { cause: error });
  const { code, statusCode } = describe(error);
  if (code.startsWith("FST_ERR_CTP_BODY_TOO_LARGE"))
    return new Problem("payload_too_large", { cause: error });
  if (code === "FST_ERR_BAD_URL")
    return new Problem("invalid_request", { detail: "The path is not a valid one.", cause: error });
  if (code.startsWith("FST_ERR_CTP")) return new Problem("unsupported_media_type", { cause: error });
  if (code.startsWith("FST_") && statusCode >= 400 && statusCode < 500)
    return new Problem("invalid_request", { cause: error });
  return new Problem("internal_error", { cause: error });
}

function describe(error: unknown): { code: string; statusCode: number } {
  const { code, statusCode } = Object(error) as { code?: unknown; statusCode?: unknown }; // members that may be missing
  return {
    code: typeof code === "string" ? code : "",
    statusCode: typeof statusCode === "number" ? statusCode : 0,
  };
}

/** A refusal in our log: quiet for what the caller did wrong, loud with its cause for what we did wrong. */
export function logRefusal(log: Log, problem: Problem): void {
  const fields = {
    code: problem.code,
    status: problem.status,
    detail: problem.detail,
    private: problem.private,
  };
  if (problem.status >= 500) log.error({ ...fields, err: problem.cause ?? problem }, "refused");
  else log.info(fields, "refused");
}

/** A large body that nobody will read must not be swallowed to its end: the connection is closed instead. */
export function leavesMuchUnread(
  { bodyBytesMax }: { readonly bodyBytesMax: number },
  { complete, headers }: IncomingMessage,
): boolean {
  const length = headers["content-length"];
  const hasBody = length !== undefined || headers["transfer-encoding"] !== undefined;
  return hasBody && !complete && Number(length ?? bodyBytesMax + 1) > bodyBytesMax;
}
