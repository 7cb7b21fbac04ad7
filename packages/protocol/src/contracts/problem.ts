import { z } from "zod";
import { isProblemCode } from "../problems.ts";

/** application/problem+json (RFC 9457 §3) as every service of Remit answers it. */
export const ProblemBody = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  code: z.string(),
  detail: z.string().optional(),
  remedy: z.string().optional(),
  request_id: z.string(),
});
export type ProblemBody = z.infer<typeof ProblemBody>;

/** A problem of a peer, when the body is one and its code is in our catalogue. */
export function parseProblem(body: unknown): ProblemBody | undefined {
  const parsed = ProblemBody.safeParse(body);
  return parsed.success && isProblemCode(parsed.data.code) ? parsed.data : undefined;
}
