import type { DevFile } from "@remit/embedded";
import {
  type AuditBreak,
  type AuditCheckpoint,
  type AuditEntry,
  createChainVerifier,
  examineCheckpoint,
  parseEvidenceKeys,
  parseJson,
} from "@remit/protocol";
import { AuditPage, AuditVerification } from "@remit/protocol/contracts";
import { settle, sha256 } from "@remit/protocol/node";
import { bad, good, print, printJson } from "./output.ts";
import { getJson, withInstance } from "./running/index.ts";
import type { Where } from "./where.ts";

export type AuditReport = {
  readonly verified: boolean;
  readonly checked_count: number;
  readonly head_seq: number;
  readonly checkpoint: AuditCheckpoint | null;
  readonly broken_at_seq?: number;
  readonly reason?: string;
};

const pageMax = 1000;

/**
 * Two answers that must agree: what the server says of its log, and what this process finds when it recomputes every
 * hash from the entries themselves and checks the signed checkpoint with the issuer's published keys.
 */
export async function readAuditReport(dev: DevFile): Promise<AuditReport> {
  const server = AuditVerification.parse(await getJson(dev, dev.issuer, "/api/v1/audit/verify"));
  const checkpoint = server.checkpoint === null ? null : await signedCheckpoint(dev, server.checkpoint);
  const own = await walk(dev, checkpoint);
  const broken =
    own.broken ??
    (server.verified
      ? undefined
      : { seq: server.broken_at_seq ?? 0, reason: server.reason ?? "the server says so" });
  return {
    verified: broken === undefined,
    checked_count: own.headSeq,
    head_seq: own.headSeq,
    checkpoint,
    ...(broken === undefined ? {} : { broken_at_seq: broken.seq, reason: broken.reason }),
  };
}

async function signedCheckpoint(dev: DevFile, jws: string): Promise<AuditCheckpoint> {
  const response = await fetch(`${dev.issuer}/.well-known/remit-keys`);
  const { keys } = parseEvidenceKeys(parseJson(new Uint8Array(await response.arrayBuffer())));
  return settle(
    examineCheckpoint(
      jws,
      keys.filter(({ purpose }) => purpose === "audit").map(({ jwk }) => jwk),
    ),
  );
}

async function walk(
  dev: DevFile,
  checkpoint: AuditCheckpoint | null,
): Promise<{ headSeq: number; broken: AuditBreak | undefined }> {
  const verifier = createChainVerifier(
    sha256,
    dev.tenant.id,
    new Set(checkpoint === null ? [] : [checkpoint.head_seq]),
  );
  for (;;) {
    const cursor = verifier.headSeq === 0 ? "" : `&cursor=${verifier.headSeq}`;
    const page = AuditPage.parse(await getJson(dev, dev.issuer, `/api/v1/audit?limit=${pageMax}${cursor}`));
    for (const entry of page.data) {
      // The contract has checked the members by which the chain is linked; the rest is hashed as it came.
      const broken = verifier.accept(entry as unknown as AuditEntry);
      if (broken !== undefined) return { headSeq: verifier.headSeq, broken };
    }
    if (page.next_cursor === null) break;
  }
  return { headSeq: verifier.headSeq, broken: checkpoint === null ? undefined : verifier.holds(checkpoint) };
}

export const verifyAudit = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const report = await readAuditReport(dev);
    if (options.json === true) printJson(report);
    else print(sentence(report));
    if (!report.verified) process.exitCode = 1;
  });

const sentence = (report: AuditReport): string => {
  if (!report.verified)
    return bad(`The audit log is broken at entry ${report.broken_at_seq}: ${report.reason}.`);
  const signed =
    report.checkpoint === null
      ? "no checkpoint yet"
      : `signed up to entry ${report.checkpoint.head_seq} at ${report.checkpoint.signed_at}`;
  return good(`The audit log is whole: ${report.checked_count} entries, ${signed}.`);
};
