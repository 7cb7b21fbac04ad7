import { z } from "zod";
import { idOf, Timestamp } from "./values.ts";

/** One place where a person is signed in. */
export const SessionBody = z.object({
  id: idOf("session"),
  /** The session that the token of this call is of. */
  current: z.boolean(),
  /** "Firefox on Linux", as far as the browser says. */
  device: z.string(),
  ip: z.string(),
  acr: z.string().nullable(),
  amr: z.array(z.string()),
  started_at: Timestamp,
  /** When the person last proved who they are in it. */
  authenticated_at: Timestamp,
  last_seen_at: Timestamp,
  /** When it ends if nobody uses it from now on. */
  ends_at: Timestamp,
});
export type SessionBody = z.infer<typeof SessionBody>;

/** GET /api/v1/sessions: at most as many as one person may have. */
export const SessionList = z.object({ data: z.array(SessionBody) });
export type SessionList = z.infer<typeof SessionList>;

/** POST /api/v1/sessions/revoke and /api/v1/sessions/{id}/revoke: how many it ended. */
export const SessionsEnded = z.object({ ended: z.int().min(0) });
export type SessionsEnded = z.infer<typeof SessionsEnded>;
