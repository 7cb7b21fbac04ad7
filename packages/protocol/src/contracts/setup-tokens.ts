import { z } from "zod";
import { Timestamp, text } from "./values.ts";

/** POST /api/v1/setup-tokens: one registration by somebody who has no credential yet. */
export const CreateSetupToken = z.strictObject({
  kind: z.enum(["agent", "merchant", "application"]),
  name: text(120).optional(),
});
export type CreateSetupToken = z.infer<typeof CreateSetupToken>;

export const SetupTokenBody = z.object({ setup_token: z.string(), expires_at: Timestamp });
export type SetupTokenBody = z.infer<typeof SetupTokenBody>;
