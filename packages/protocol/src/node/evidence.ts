import {
  type ArchiveFiles,
  type EvidenceManifest,
  type EvidenceTrust,
  evidenceSteps,
  peekManifest,
  unpackArchive,
} from "../evidence/index.ts";
import { Problem } from "../problems.ts";
import { settle, sha256 } from "./signatures.ts";

/** What one step of a verification came to. */
export type EvidenceFinding = { readonly step: string; readonly ok: boolean; readonly detail: string };

export type EvidenceReport = {
  readonly verified: boolean;
  readonly findings: readonly EvidenceFinding[];
  /** What the pack says of itself; believed only when it is verified. Undefined when it cannot be read at all. */
  readonly manifest: EvidenceManifest | undefined;
};

/**
 * Verifies an evidence pack with keys that are trusted already, and nothing else: no network, no database. All steps are
 * tried, so that whoever reads the report sees what of it holds and what does not.
 */
export function verifyEvidence(archive: Uint8Array, trust: Omit<EvidenceTrust, "sha256">): EvidenceReport {
  let files: ArchiveFiles;
  let manifest: EvidenceManifest;
  try {
    files = unpackArchive(archive);
    manifest = peekManifest(files);
  } catch (error) {
    return { verified: false, findings: [refused("archive", error)], manifest: undefined };
  }
  const count = Object.keys(files).length;
  const opened = { step: "archive", ok: true, detail: `${count} files, and nothing beside them` };
  const steps = evidenceSteps(files, { ...trust, sha256 });
  const findings = [opened, ...steps.map(({ name, examine }) => findingOf(name, () => settle(examine())))];
  return { verified: findings.every(({ ok }) => ok), findings, manifest };
}

function findingOf(step: string, prove: () => string): EvidenceFinding {
  try {
    return { step, ok: true, detail: prove() };
  } catch (error) {
    return refused(step, error);
  }
}

function refused(step: string, error: unknown): EvidenceFinding {
  if (!(error instanceof Problem)) throw error;
  return { step, ok: false, detail: error.message };
}
