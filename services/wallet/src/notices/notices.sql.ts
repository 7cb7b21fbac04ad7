import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { NoticeKind } from "@remit/protocol/contracts";
import type { Wishes } from "./notices.ts";

export type PersonRow = Wishes & { readonly account: string; readonly sealed: Uint8Array };
export type DeviceRow = PersonRow & {
  readonly id: Id<"device">;
  readonly digest: string;
  readonly addedAt: Instant;
};

export async function savePerson(tx: Sql, { account, sealed, questions, money }: PersonRow): Promise<void> {
  await tx.run(sql`insert into notice_people (account, sealed, questions, money)
    values (${account}, ${sealed}, ${questions}, ${money})
    on conflict (account) do update set sealed = excluded.sealed, questions = excluded.questions, money = excluded.money`);
}

export const readPerson = (db: Sql, account: string): Promise<PersonRow | undefined> =>
  db.maybe<PersonRow>(
    sql`select account, sealed, questions, money from notice_people where account = ${account}`,
  );

/** A browser that is subscribed anew has its row under the new account, and what was sent to it before stays as it is. */
export async function saveDevice(
  tx: Sql,
  { digest, ...device }: Omit<DeviceRow, "addedAt"> & { readonly now: Instant },
): Promise<void> {
  await tx.run(sql`delete from notice_devices where endpoint_digest = ${digest}`);
  await tx.run(sql`insert into notice_devices (id, account, endpoint_digest, sealed, questions, money, added_at)
    values (${device.id}, ${device.account}, ${digest}, ${device.sealed}, ${device.questions}, ${device.money},
      ${sqlTime(device.now)})`);
}

export const readDevices = (db: Sql, account: string): Promise<DeviceRow[]> =>
  db.many<DeviceRow>(sql`select id, account, sealed, questions, money, endpoint_digest as digest, added_at as "addedAt"
    from notice_devices where account = ${account} order by id`);

export const readDevice = (db: Sql, id: string): Promise<DeviceRow | undefined> =>
  db.maybe<DeviceRow>(sql`select id, account, sealed, questions, money, endpoint_digest as digest, added_at as "addedAt"
    from notice_devices where id = ${id}`);

export async function changeDevice(
  db: Sql,
  { account, id, questions, money }: Wishes & { readonly account: string; readonly id: string },
): Promise<boolean> {
  const { count } = await db.run(sql`update notice_devices set questions = ${questions}, money = ${money}
    where id = ${id} and account = ${account}`);
  return count === 1;
}

export async function deleteDevice(db: Sql, of: { account: string; id: string }): Promise<boolean> {
  const { count } = await db.run(
    sql`delete from notice_devices where id = ${of.id} and account = ${of.account}`,
  );
  return count === 1;
}

export type NoticeRow = {
  readonly id: Id<"event">;
  readonly account: string;
  readonly kind: NoticeKind;
  readonly subject: string;
  readonly at: Instant;
  readonly until: Instant | undefined;
};

/** False when it is known. */
export async function insertNotice(tx: Sql, notice: NoticeRow, now: Instant): Promise<boolean> {
  const until = notice.until === undefined ? null : sqlTime(notice.until);
  const { count } = await tx.run(sql`insert into notices (id, account, kind, subject, at, until, heard_at)
    values (${notice.id}, ${notice.account}, ${notice.kind}, ${notice.subject}, ${sqlTime(notice.at)}, ${until},
      ${sqlTime(now)}) on conflict (id) do nothing`);
  return count === 1;
}

/** The ways by which this person wants to hear of that, each with a delivery from now on. */
export async function insertDeliveries(
  tx: Sql,
  { id, account, kind }: Pick<NoticeRow, "id" | "account" | "kind">,
): Promise<string[]> {
  const question = kind === "question";
  const made = await tx.many<{ way: string }>(sql`
    insert into notice_deliveries (notice_id, way)
    select ${id}, way from (
      select 'mail' as way, questions, money from notice_people where account = ${account}
      union all select id, questions, money from notice_devices where account = ${account}) w
    where case when ${question}::boolean then questions else money end
    returning way`);
  return made.map(({ way }) => way);
}

export async function markAnswered(tx: Sql, subjects: readonly string[]): Promise<void> {
  await tx.run(sql`update notices set answered = true
    where kind = 'question' and subject = any(${[...subjects]}::text[])`);
}

export type Sending = Pick<NoticeRow, "id" | "kind" | "subject" | "at"> & { readonly until: Instant | null };
type Taking = {
  readonly account: string;
  readonly way: string;
  /** One question, or all movements of money that wait. */
  readonly notice: string | undefined;
  readonly now: Instant;
};

/** What was handed over by somebody who died meanwhile: nobody knows whether it came. */
export async function giveUpUnknown(tx: Sql, { account, way, notice, now }: Taking): Promise<void> {
  await tx.run(sql`update notice_deliveries d set state = 'unknown', ended_at = ${sqlTime(now)}
    from notices n where n.id = d.notice_id and n.account = ${account} and d.way = ${way} and d.state = 'sending'
      and (n.id = ${notice ?? null} or (${notice ?? null}::text is null and n.kind <> 'question'))`);
}

/** Takes what is to be sent now; what has its answer, or comes too late for one, is not. */
export async function takeDeliveries(tx: Sql, { account, way, notice, now }: Taking): Promise<Sending[]> {
  const taken = await tx.many<Sending & { readonly state: string }>(sql`
    update notice_deliveries d set state = case when n.answered or n.until <= ${sqlTime(now)} then 'late' else 'sending' end,
      ended_at = case when n.answered or n.until <= ${sqlTime(now)} then ${sqlTime(now)}::timestamptz end
    from notices n where n.id = d.notice_id and n.account = ${account} and d.way = ${way}
      and d.state in ('waiting', 'sending')
      and (n.id = ${notice ?? null} or (${notice ?? null}::text is null and n.kind <> 'question'))
    returning n.id, n.kind, n.subject, n.at, n.until, d.state`);
  return taken.filter(({ state }) => state === "sending").sort((a, b) => (a.id < b.id ? -1 : 1));
}

export type DeliveryState = "waiting" | "sending" | "sent" | "late" | "refused" | "unknown";

export async function endDeliveries(
  db: Sql,
  ended: { way: string; notices: readonly string[]; state: DeliveryState; now: Instant },
): Promise<void> {
  const { way, notices, state, now } = ended;
  const at = state === "waiting" ? null : sqlTime(now);
  await db.run(sql`update notice_deliveries set state = ${state}, ended_at = ${at}::timestamptz
    where way = ${way} and notice_id = any(${[...notices]}::text[]) and state in ('sending', 'unknown')`);
}

export type Told = {
  readonly id: Id<"event">;
  readonly kind: NoticeKind;
  readonly subject: string;
  readonly at: Instant;
  readonly way: string;
  readonly state: DeliveryState;
};

export const lastTold = (db: Sql, account: string, limit: number): Promise<Told[]> =>
  db.many<Told>(sql`select n.id, n.kind, n.subject, n.at, d.way, d.state
    from notices n join notice_deliveries d on d.notice_id = n.id
    where n.account = ${account} order by n.id desc, d.way limit ${limit}`);

export async function sweepNotices(db: Sql, heardBefore: Instant): Promise<void> {
  await db.run(sql`delete from notices where heard_at < ${sqlTime(heardBefore)}`);
}

/** Everything of a person. */
export async function forgetPerson(tx: Sql, account: string): Promise<void> {
  await tx.run(sql`delete from notices where account = ${account}`);
  await tx.run(sql`delete from notice_devices where account = ${account}`);
  await tx.run(sql`delete from notice_people where account = ${account}`);
}
