import { z } from "zod";

/** GET /api/v1/forwarding: how late what a service recorded comes to the issuer. Nothing is lost meanwhile. */
export const ForwardingBody = z.object({
  status: z.enum(["ok", "late"]),
  /** Age of the first event that has not been brought there; 0 when none waits. */
  oldest_unsent_s: z.int().min(0),
  remedy: z.string().nullable(),
});
