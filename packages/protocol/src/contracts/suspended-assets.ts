import { z } from "zod";
import { Timestamp, text } from "./values.ts";

/** POST /api/v1/suspended-assets: no mandate is charged in this token (CAIP-19), or it is again. */
export const SuspendAsset = z.strictObject({
  asset: text(200),
  suspended: z.boolean(),
  /** For the audit log: why. */
  because: text(200),
});
export type SuspendAsset = z.infer<typeof SuspendAsset>;

/** GET /api/v1/suspended-assets. */
export const SuspendedAssetList = z.object({
  data: z.array(z.object({ asset: z.string(), because: z.string(), suspended_at: Timestamp })),
});
export type SuspendedAssetList = z.infer<typeof SuspendedAssetList>;
