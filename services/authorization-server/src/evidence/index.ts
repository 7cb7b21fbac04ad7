export { evidenceRoutes } from "./packs.http.ts";
export { type EvidenceDeps, evidenceOf } from "./packs.ts";

export const evidenceTables = { evidence_packs: "tenant" } as const;
