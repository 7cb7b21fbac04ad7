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
import { AuditPage, AuditRangePlaces, AuditVerification } from "@remit/protocol/contracts";
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

/** The whole log, or what was recorded between two days or times. */
export type AuditTime = { readonly from?: string; readonly to?: string };

/**
 * Two answers that must agree: what the server says of its log, and what this process finds when it recomputes every
 * hash from the entries themselves and checks the signed checkpoints with the issuer's published keys.
 */
export async function readAuditReport(dev: DevFile, time: AuditTime = {}): Promise<AuditReport> {
  const server = AuditVerification.parse(
    await getJson(dev, dev.issuer, `/api/v1/audit/verify${queryOf(time)}`),
  );
  const span = await spanOf(dev, time, server.checkpoint);
  const own = await walk(dev, span);
  const broken =
    own.broken ??
    (server.verified
      ? undefined
      : { seq: server.brokenAtSeq ?? 0, reason: server.reason ?? "the server says so" });
  return {
    verified: broken === undefined,
    checked_count: own.headSeq - (span.start?.head_seq ?? 0),
    head_seq: own.headSeq,
    checkpoint: span.over ?? null,
    ...(broken === undefined ? {} : { broken_at_seq: broken.seq, reason: broken.reason }),
  };
}

const queryOf = ({ from, to }: AuditTime): string => {
  const given = {
    ...(from === undefined ? {} : { fromDate: from }),
    ...(to === undefined ? {} : { toDate: to }),
  };
  const query = new URLSearchParams(given).toString();
  return query === "" ? "" : `?${query}`;
};

/** From which signed checkpoint on, under which one, and up to which place. */
type Span = {
  readonly start: AuditCheckpoint | undefined;
  readonly over: AuditCheckpoint | undefined;
  readonly to: number;
};

async function spanOf(dev: DevFile, time: AuditTime, newest: string | null): Promise<Span> {
  const read = async (jws: string | null): Promise<AuditCheckpoint | undefined> =>
    jws === null ? undefined : signedCheckpoint(dev, jws);
  const asked = queryOf(time);
  if (asked === "") return { start: undefined, over: await read(newest), to: Number.MAX_SAFE_INTEGER };
  const places = AuditRangePlaces.parse(await getJson(dev, dev.issuer, `/api/v1/audit/range${asked}`));
  const start = await read(places.starts_at);
  return { start, over: await read(places.ends_at ?? newest), to: places.to_seq };
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
  { start, over, to }: Span,
): Promise<{ headSeq: number; broken: AuditBreak | undefined }> {
  const verifier = createChainVerifier(sha256, dev.tenant.id, {
    remember: new Set(over === undefined ? [] : [over.head_seq]),
    ...(start === undefined ? {} : { after: { seq: start.head_seq, entryHash: start.head_entry_hash } }),
  });
  while (verifier.headSeq < to) {
    const limit = Math.min(pageMax, to - verifier.headSeq);
    const cursor = verifier.headSeq === 0 ? "" : `&cursor=${verifier.headSeq}`;
    const page = AuditPage.parse(await getJson(dev, dev.issuer, `/api/v1/audit?limit=${limit}${cursor}`));
    for (const entry of page.data) {
      // The contract has checked the members by which the chain is linked; the rest is hashed as it came.
      const broken = verifier.accept(entry as unknown as AuditEntry);
      if (broken !== undefined) return { headSeq: verifier.headSeq, broken };
    }
    if (page.next_cursor === null) break;
  }
  // A range that begins at the newest checkpoint has none over it yet.
  const signed = over !== undefined && over.head_seq > (start?.head_seq ?? 0);
  return { headSeq: verifier.headSeq, broken: signed ? verifier.holds(over) : undefined };
}

export type AuditWish = Where & AuditTime;

export const verifyAudit = (options: AuditWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const report = await readAuditReport(dev, options);
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
