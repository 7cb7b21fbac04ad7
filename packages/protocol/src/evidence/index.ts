export { type ArchiveFiles, packArchive, unpackArchive } from "./archive.ts";
export { type EvidenceManifest, evidenceTyp, makeManifest, manifestName, peekManifest } from "./manifest.ts";
export { type EvidenceStep, type EvidenceTrust, evidenceFiles, evidenceSteps } from "./steps.ts";
