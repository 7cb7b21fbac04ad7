import { type Id, type Instant, invariant, newId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import * as rows from "./admissions.sql.ts";

/** Somebody whom a provider vouches for and who waits for the yes of its tenant. */
export type Admission = {
  readonly id: Id<"admission">;
  readonly provider: Id<"provider">;
  readonly email: string;
  readonly name: string;
  readonly status: rows.AdmissionStatus;
  readonly askedAt: Instant;
};

export type Applicant = {
  readonly provider: Id<"provider">;
  readonly subjectDigest: Uint8Array;
  readonly email: string;
  readonly name: string;
};

type Deps = { readonly keyring: Keyring };
type By = { readonly actor: Actor; readonly now: Instant };

const waitingMax = 1_000;
const scopeOf = ({ tenant }: TenantTx): string => `admissions:${tenant}`;
const aadOf = (id: string): string => `admissions.sealed:${id}`;

export const statusOf = async (
  tx: TenantTx,
  applicant: Pick<Applicant, "provider" | "subjectDigest">,
): Promise<rows.AdmissionStatus | undefined> => (await rows.findAdmission(tx, applicant))?.status;

/** Asks once, however often somebody comes. */
export async function askAdmission(
  { keyring }: Deps,
  tx: TenantTx,
  { applicant, now }: { applicant: Applicant; now: Instant },
): Promise<void> {
  const { provider, subjectDigest, email, name } = applicant;
  const id = newId("admission");
  const plaintext = Buffer.from(JSON.stringify({ email, name }), "utf8");
  const sealed = await keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(id) });
  const row = { id, provider, subjectDigest, sealed, status: "waiting", askedAt: now } as const;
  if (!(await rows.insertAdmission(tx, row, waitingMax))) return;
  const actor = { type: "system", id: "authorization-server" } as const;
  const facts = { tenant: tx.tenant, actor, subject: id, payload: { provider } };
  await tx.record(newEvent("identity.admission_asked", facts, now));
}

export async function admissionsOf(
  deps: Deps,
  tx: TenantTx,
  page: Parameters<typeof rows.listAdmissions>[1],
): Promise<Admission[]> {
  const found = await rows.listAdmissions(tx, page);
  return Promise.all(found.map((row) => open(deps, tx, row)));
}

/** Yes or no, once. Whoever was admitted gets an account when they next sign in there. */
export async function answerAdmission(
  deps: Deps,
  tx: TenantTx,
  { id, admit, actor, now }: By & { id: Id<"admission">; admit: boolean },
): Promise<Admission> {
  const status = admit ? "admitted" : "refused";
  const row = await rows.decideAdmission(tx, { id, status, now });
  if (row === undefined) throw new Problem("not_found", { detail: "Nobody waits under this id." });
  const payload = { provider: row.provider, status };
  await tx.record(
    newEvent("identity.admission_decided", { tenant: tx.tenant, actor, subject: id, payload }, now),
  );
  return open(deps, tx, row);
}

/** It has led to an account. */
export const closeAdmission = rows.deleteAdmission;
export const dropAdmissionsAt = rows.deleteAdmissionsAt;

async function open({ keyring }: Deps, tx: TenantTx, row: rows.AdmissionRow): Promise<Admission> {
  const { id, provider, sealed, status, askedAt } = row;
  const plaintext = await keyring.open(tx, scopeOf(tx), { sealed, aad: aadOf(id) });
  const { email, name } = Object(JSON.parse(Buffer.from(plaintext ?? "{}").toString("utf8")));
  invariant(typeof email === "string" && typeof name === "string", "an admission says who waits");
  return { id, provider, email, name, status, askedAt };
}
