import { z } from "zod";
import { Timestamp } from "./values.ts";

/** GET /api/v1/account/sign-in-methods: how the caller's person may sign in. */
export const SignInMethods = z.object({
  password: z.boolean(),
  passkeys: z.array(
    z.object({
      key: z.string(),
      name: z.string(),
      /** A key that cannot leave its device, as its authenticator says. */
      device_bound: z.boolean(),
      created_at: Timestamp,
      last_used_at: Timestamp.nullable(),
    }),
  ),
  authenticator_app: z.boolean(),
  recovery_codes_left: z.int(),
});
export type SignInMethods = z.infer<typeof SignInMethods>;

/** POST /api/v1/account/recovery-codes: ten new ones, shown this once. */
export const RecoveryCodes = z.object({ recovery_codes: z.array(z.string()) });
export type RecoveryCodes = z.infer<typeof RecoveryCodes>;
