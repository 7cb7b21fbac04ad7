import { Problem, type ProblemCode } from "@remit/protocol";

/** Refuses a client's metadata (RFC 7591 §3.2.2). */
export function refuse(because: string, code: ProblemCode = "invalid_client_metadata"): never {
  throw new Problem(code, { detail: because });
}
