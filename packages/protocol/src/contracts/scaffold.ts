import { z } from "zod";

export const ScaffoldLanguage = z.enum(["typescript", "python", "go", "java", "rust"]);
export type ScaffoldLanguage = z.infer<typeof ScaffoldLanguage>;

/** GET /api/v1/sdk/scaffold/{id}. */
export const ScaffoldQuery = z.strictObject({ language: ScaffoldLanguage.default("typescript") });
