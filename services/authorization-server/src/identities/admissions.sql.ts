import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export type AdmissionStatus = "waiting" | "admitted" | "refused";
export type AdmissionRow = {
  readonly id: Id<"admission">;
  readonly provider: Id<"provider">;
  readonly subjectDigest: Uint8Array;
  readonly sealed: Uint8Array;
  readonly status: AdmissionStatus;
  readonly askedAt: Instant;
};

type Row = {
  readonly id: Id<"admission">;
  readonly provider_id: Id<"provider">;
  readonly subject_digest: Uint8Array;
  readonly sealed: Uint8Array;
  readonly status: AdmissionStatus;
  readonly asked_at: Instant;
};

const admissionOf = (row: Row): AdmissionRow => ({
  id: row.id,
  provider: row.provider_id,
  subjectDigest: row.subject_digest,
  sealed: row.sealed,
  status: row.status,
  askedAt: row.asked_at,
});

type Whose = Pick<AdmissionRow, "provider" | "subjectDigest">;

export async function findAdmission(tx: TenantTx, whose: Whose): Promise<AdmissionRow | undefined> {
  const row = await tx.maybe<Row>(sql`select * from admissions
    where provider_id = ${whose.provider} and subject_digest = ${whose.subjectDigest}`);
  return row && admissionOf(row);
}

/** False when it waits already, or when `max` of the provider do. */
export async function insertAdmission(tx: TenantTx, row: AdmissionRow, max: number): Promise<boolean> {
  const { count } = await tx.run(sql`insert into admissions
      (tenant_id, id, provider_id, subject_digest, sealed, status, asked_at)
    select ${tx.tenant}, ${row.id}, ${row.provider}, ${row.subjectDigest}::bytea, ${row.sealed}::bytea, ${row.status},
      ${sqlTime(row.askedAt)}::timestamptz
    where (select count(*) from admissions where provider_id = ${row.provider} and status = 'waiting') < ${max}
    on conflict do nothing`);
  return count === 1;
}

export async function listAdmissions(
  tx: TenantTx,
  page: { limit: number; before?: Id<"admission"> | undefined; status?: AdmissionStatus | undefined },
): Promise<AdmissionRow[]> {
  const found = await tx.many<Row>(sql`select * from admissions
    where (${page.before ?? null}::text is null or id < ${page.before ?? null})
      and (${page.status ?? null}::text is null or status = ${page.status ?? null})
    order by id desc limit ${page.limit}`);
  return found.map(admissionOf);
}

/** Of two answers one counts. */
export async function decideAdmission(
  tx: TenantTx,
  { id, status, now }: { id: Id<"admission">; status: AdmissionStatus; now: Instant },
): Promise<AdmissionRow | undefined> {
  const row = await tx.maybe<Row>(sql`update admissions set status = ${status}, decided_at = ${sqlTime(now)}
    where id = ${id} and status = 'waiting' returning *`);
  return row && admissionOf(row);
}

export async function deleteAdmission(tx: TenantTx, whose: Whose): Promise<void> {
  await tx.run(sql`delete from admissions
    where provider_id = ${whose.provider} and subject_digest = ${whose.subjectDigest}`);
}

export async function deleteAdmissionsAt(tx: TenantTx, provider: Id<"provider">): Promise<void> {
  await tx.run(sql`delete from admissions where provider_id = ${provider}`);
}
