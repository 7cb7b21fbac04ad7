import { invariant, newId, toRfc3339 } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import {
  type AuditBreak,
  type AuditCheckpoint,
  base64url,
  checkpointText,
  checkpointTyp,
  concatBytes,
  examineCheckpoint,
  genesisHash,
  noteKeyId,
  Problem,
  signedNote,
  type TreeCheckpoint,
  utf8,
} from "@remit/protocol";
import { settle, sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";
import { type AuditDeps, headOf, type LogName } from "./audit.ts";
import { growTree, MissingHashes, rootAt } from "./tree.ts";

export type Signed = { readonly jws: string; readonly says: AuditCheckpoint };

export class Broken extends Error {
  readonly at: AuditBreak;
  constructor(seq: number, reason: string) {
    super(reason);
    this.at = { seq, reason };
  }
}

/**
 * Signs where one log ends now, and keeps the signature outside the database too. A log that no longer contains what was
 * kept there last is not signed: our own signature would make a rewritten log, or one whose tail was cut, the true one,
 * and replace the only witness against it. It is marked as broken instead; decision 0050 says how an operator goes on.
 */
export async function signCheckpoint(deps: AuditDeps, tenant: LogName): Promise<string | undefined> {
  try {
    return await deps.db.of(tenant).transaction((tx) => signHead(deps, tx));
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    await saveVerdict(deps, tenant, { headSeq: await headOf(deps, tenant), brokenAt: error.at });
    return undefined;
  }
}

async function signHead(deps: AuditDeps, tx: TenantTx<LogName>): Promise<string | undefined> {
  const { tenant } = tx;
  const head = await rows.lockHead(tx, tenant, genesisHash);
  if (head.seq === head.checkpoint_seq) return undefined;
  const root = await growTo(tx, Number(head.seq));
  await refuseRewritten(deps, tx, Number(head.seq));
  const at = deps.clock.now();
  const checkpoint: AuditCheckpoint = {
    v: 1,
    iss: deps.issuer,
    jti: newId("checkpoint"),
    tenant_id: tenant,
    head_seq: Number(head.seq),
    head_entry_hash: head.entry_hash,
    root_hash: base64url.encode(root),
    signed_at: toRfc3339(at),
    signer_kid: deps.keys.currentKey("audit").kid,
  };
  const signed = await deps.keys.sign("audit", { typ: checkpointTyp }, checkpoint);
  const { head_seq: headSeq, jti } = checkpoint;
  const note = await signNote(deps, { origin: originOf(deps, tenant), size: headSeq, root });
  await rows.insertCheckpoint(tx, { tenant, headSeq, jti, at, jws: signed, note });
  // Under the lock of the head, so that no slower signer puts an older place in its stead. Should the commit fail, what
  // is kept still holds: the entries it covers were committed before.
  await deps.anchor.keep(tenant, signed);
  return signed;
}

/** C2SP tlog-checkpoint: which log it is, in words that no other log has. */
export const originOf = ({ issuer }: Pick<AuditDeps, "issuer">, tenant: LogName): string =>
  `${issuer.replace(/^https?:\/\//, "").replace(/\/$/, "")}/audit/${tenant}`;

/** The same as a signed note, which verifiers of transparency logs read. */
async function signNote({ keys }: AuditDeps, checkpoint: TreeCheckpoint): Promise<string> {
  const { kid, jwk } = keys.currentKey("audit");
  const name = checkpoint.origin;
  const id = noteKeyId(sha256, { name, jwk });
  invariant(id !== undefined, "the keys of the audit log are Ed25519");
  const text = checkpointText(checkpoint);
  return signedNote(text, name, concatBytes(id, await keys.signBytes(kid, utf8(text))));
}

async function growTo(tx: TenantTx<LogName>, size: number): Promise<Uint8Array> {
  try {
    await growTree(tx, size);
    return await rootAt(tx, tx.tenant, size);
  } catch (error) {
    throw error instanceof MissingHashes ? new Broken(size, error.message) : error;
  }
}

async function refuseRewritten(deps: AuditDeps, tx: TenantTx<LogName>, headSeq: number): Promise<void> {
  const kept = await anchoredCheckpoint(deps, tx.tenant);
  if (kept === undefined) return;
  const { head_seq: seq, head_entry_hash: hash, root_hash: root } = kept.says;
  if (seq > headSeq)
    throw new Broken(headSeq + 1, `the log ends at ${headSeq}, but the checkpoint kept outside says ${seq}`);
  const there = await rows.entryHashAt(tx, tx.tenant, seq);
  if (there !== hash) throw new Broken(seq, "the log differs from the checkpoint kept outside");
  // A log that signs two trees of which neither begins with the other is worth nothing as a witness.
  if (root !== undefined && base64url.encode(await growTo(tx, seq)) !== root)
    throw new Broken(seq, "the tree differs from the checkpoint kept outside");
}

/** What a log's verification found stands until the next one. */
export async function saveVerdict(
  deps: AuditDeps,
  tenant: LogName,
  { headSeq, brokenAt }: { readonly headSeq: number; readonly brokenAt?: AuditBreak | undefined },
): Promise<void> {
  if (brokenAt !== undefined) deps.log.error({ tenant, brokenAt }, "an audit log is broken");
  const brokenSeq = brokenAt?.seq ?? null;
  const reason = brokenAt?.reason ?? null;
  const row = { tenant, at: deps.clock.now(), headSeq, brokenSeq, reason };
  await rows.saveVerification(deps.db.single, row);
}

/** The checkpoint kept outside the database. One that cannot be read is no reason to go on without it. */
export async function anchoredCheckpoint(deps: AuditDeps, tenant: LogName): Promise<Signed | undefined> {
  let jws: string | undefined;
  try {
    jws = await deps.anchor.last(tenant);
  } catch (error) {
    deps.log.error({ tenant, error }, "the checkpoint kept outside the database cannot be read");
    throw new Broken(0, "the checkpoint kept outside cannot be read");
  }
  return jws === undefined ? undefined : signedFor(deps, tenant, { jws });
}

/**
 * A checkpoint that we signed, for this log. Its issuer is not compared: the keys are this installation's own, and its
 * logs go on when its address changes.
 */
export function signedFor(
  { keys }: AuditDeps,
  tenant: LogName,
  { jws, seq = 0 }: { readonly jws: string; readonly seq?: number },
): Signed {
  const says = saysOf(jws);
  if (says.tenant_id !== tenant) throw new Broken(says.head_seq, "a checkpoint is another tenant's");
  return { jws, says };

  function saysOf(text: string): AuditCheckpoint {
    try {
      const known = keys.publicKeys("audit").map(({ jwk }) => jwk);
      return settle(examineCheckpoint(text, known));
    } catch (error) {
      if (error instanceof Problem) throw new Broken(seq, "a checkpoint's signature is not ours");
      throw error;
    }
  }
}
