import { z } from "zod";
import { idOf, Timestamp } from "./values.ts";

/** POST /api/v1/account/erase: the person's own e-mail address, typed. */
export const EraseAccount = z.strictObject({ confirm_email: z.string().min(3).max(254) });
export type EraseAccount = z.infer<typeof EraseAccount>;

export const ErasedAccount = z.object({ account_id: idOf("account"), erased_at: Timestamp });
export type ErasedAccount = z.infer<typeof ErasedAccount>;
