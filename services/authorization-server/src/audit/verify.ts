import type { Sql } from "@remit/platform/sql";
import {
  type AuditBreak,
  type AuditCheckpoint,
  createChainVerifier,
  examineCheckpoint,
  Problem,
} from "@remit/protocol";
import { settle, sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";
import { type AuditDeps, entryOf, type LogName } from "./audit.ts";

export type AuditVerdict = {
  readonly verified: boolean;
  readonly checkedCount: number;
  readonly headSeq: number;
  /** The newest signed checkpoint, a compact JWS. */
  readonly checkpoint: string | undefined;
  readonly brokenAt?: AuditBreak;
};

const pageMax = 1000;

/**
 * Recomputes one log from its first entry and holds it against every signed checkpoint, the one kept outside the
 * database included: so a change, a gap, a swap, a forged row and a cut tail are all found, also when made by the
 * owner of the database.
 */
export async function verifyLog(deps: AuditDeps, tenant: LogName): Promise<AuditVerdict> {
  const anchored = await deps.anchor.last(tenant);
  return deps.db.of(tenant).transaction(async (tx) => {
    const stored = await rows.readCheckpoints(tx, tenant);
    const signed = [...stored.map(({ jws }) => jws), ...(anchored === undefined ? [] : [anchored])];
    const checkpoints = signed.map((jws) => readCheckpoint(deps, jws));
    const forged = checkpoints.findIndex((checkpoint) => checkpoint === undefined);
    const known = checkpoints.filter((checkpoint) => checkpoint !== undefined);
    const walked = await walk(tx, tenant, known);
    const broken =
      walked.broken ??
      (forged === -1 ? undefined : { seq: 0, reason: "a checkpoint's signature is not ours" });
    return {
      verified: broken === undefined,
      checkedCount: walked.checkedCount,
      headSeq: walked.headSeq,
      checkpoint: stored.at(-1)?.jws,
      ...(broken === undefined ? {} : { brokenAt: broken }),
    };
  });
}

type Walk = {
  readonly checkedCount: number;
  readonly headSeq: number;
  readonly broken: AuditBreak | undefined;
};

async function walk(tx: Sql, tenant: LogName, checkpoints: readonly AuditCheckpoint[]): Promise<Walk> {
  const verifier = createChainVerifier(sha256, tenant, new Set(checkpoints.map(({ head_seq }) => head_seq)));
  const done = (broken: AuditBreak | undefined): Walk => ({
    checkedCount: verifier.headSeq,
    headSeq: verifier.headSeq,
    broken,
  });
  for (;;) {
    const page = await rows.readChain(tx, tenant, { after: verifier.headSeq, limit: pageMax });
    for (const row of page) {
      const broken = wrongBytes(row) ?? verifier.accept(entryOf(row));
      if (broken !== undefined) return done(broken);
    }
    if (page.length < pageMax) break;
  }
  for (const checkpoint of checkpoints) {
    const broken = verifier.holds(checkpoint);
    if (broken !== undefined) return done(broken);
  }
  const [stray] = await rows.strayRows(tx, tenant);
  return done(
    stray === undefined
      ? undefined
      : { seq: verifier.headSeq + 1, reason: `${stray.event_id} was never taken into the chain` },
  );
}

/** The body is hashed as it is stored: bytes that parse to the same value are still a change. */
const wrongBytes = (row: rows.ChainRow): AuditBreak | undefined =>
  Buffer.compare(sha256(row.body), row.digest) === 0
    ? undefined
    : { seq: Number(row.seq), reason: "the entry was changed" };

function readCheckpoint({ keys }: AuditDeps, jws: string): AuditCheckpoint | undefined {
  try {
    return settle(
      examineCheckpoint(
        jws,
        keys.publicKeys("audit").map(({ jwk }) => jwk),
      ),
    );
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
