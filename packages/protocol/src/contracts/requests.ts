import { z } from "zod";
import { isProblemCode } from "../problems.ts";
import { idOf, Timestamp } from "./values.ts";

/** GET /api/v1/requests: what an organization's clients and people asked of this API, newest first. */
export const RequestQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: idOf("request").optional(),
  /** A status, or all of a kind. */
  status: z
    .string()
    .regex(/^[2-5](?:\d\d|xx)$/)
    .meta({ examples: ["4xx"] })
    .optional(),
  /** Of whoever called: the id of a client, an agent or a person. */
  actor: z.string().min(1).max(64).optional(),
  problem: z
    .string()
    .refine(isProblemCode, "is no code of a refusal")
    .meta({ examples: ["not_found"] })
    .optional(),
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).optional(),
  /** `api`: not by people in the portal. `portal`: by them alone; what they only read is not kept. */
  via: z.enum(["api", "portal"]).optional(),
  from: Timestamp.optional(),
  /** Exclusive. */
  before: Timestamp.optional(),
});

export const RequestBody = z.object({
  id: idOf("request"),
  at: Timestamp,
  client_id: z.string(),
  actor: z.object({ type: z.enum(["agent", "client", "account", "service"]), id: z.string() }),
  method: z.string(),
  /** As the API document has it. */
  route: z.string(),
  /** As it was sent, but what stands where ids do and is none. */
  path: z.string(),
  /** 499: the caller left before all of the answer was sent. */
  status: z.int(),
  /** The code of the refusal, which has a page at `/docs/problems/<code>`. */
  problem: z.string().nullable(),
  latency_ms: z.number(),
});
export type RequestBody = z.infer<typeof RequestBody>;

export const RequestPage = z.object({ data: z.array(RequestBody), next_cursor: z.string().nullable() });

/** With what it recorded in this organization's audit log, twenty entries at most. */
export const RequestWithEntries = RequestBody.extend({
  entries: z.array(z.object({ id: idOf("event"), event: z.string(), subject: z.string(), at: Timestamp })),
});
