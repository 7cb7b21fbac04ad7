import type { Clock, Id } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { TenantTx } from "@remit/platform/sql";
import type { ApprovalRow } from "./approvals.sql.ts";
import type { Approval, Question } from "./approvals.ts";

/** What every write of a question needs. */
export type SealingDeps = { readonly clock: Clock; readonly keyring: Pick<Keyring, "seal" | "open"> };

const scopeOf = (tx: TenantTx): string => `approvals:${tx.tenant}`;
const aadOf = (id: Id<"approval">): string => `approvals.question:${id}`;

export function sealQuestion(
  { keyring }: SealingDeps,
  tx: TenantTx,
  { id, question }: { id: Id<"approval">; question: Question },
): Promise<Uint8Array> {
  const plaintext = Buffer.from(JSON.stringify(question), "utf8");
  return keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(id) });
}

/** What was said with an answer, and what proved it; undefined when there is nothing to keep. */
export async function sealAnswer(
  { keyring }: SealingDeps,
  tx: TenantTx,
  { id, said }: { id: Id<"approval">; said: object },
): Promise<Uint8Array | undefined> {
  if (Object.keys(said).length === 0) return undefined;
  const plaintext = Buffer.from(JSON.stringify(said), "utf8");
  return keyring.seal(tx, scopeOf(tx), { plaintext, aad: `approvals.answer:${id}` });
}

export async function opened(
  { keyring }: SealingDeps,
  tx: TenantTx,
  { sealedQuestion, ...row }: ApprovalRow,
): Promise<Approval> {
  const plaintext = await keyring.open(tx, scopeOf(tx), { sealed: sealedQuestion, aad: aadOf(row.id) });
  // Erased: the question is no longer known to anybody, and nothing can come of it.
  if (plaintext === undefined) return { ...row, question: { request: "" } };
  // We wrote it: JSON of a Question, authenticated by the seal.
  return { ...row, question: JSON.parse(Buffer.from(plaintext).toString("utf8")) as Question };
}
