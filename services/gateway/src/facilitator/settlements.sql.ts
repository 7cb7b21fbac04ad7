import type { Instant } from "@remit/kernel";
import { type GlobalTx, type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Hex } from "@remit/protocol";
import type { Worker } from "../claims/index.ts";
import type { Attempt, Decided, SettlementId, SettlementRow } from "./settlements.ts";

type Row = {
  readonly network: string;
  readonly asset: Hex;
  readonly payer: Hex;
  readonly nonce: Hex;
  readonly owner: string | null;
  readonly told_at: Instant | null;
  readonly scheme: SettlementRow["scheme"];
  readonly pay_to: Hex;
  readonly value: string;
  readonly valid_before: string;
  readonly call: Uint8Array;
  readonly gas: bigint;
  readonly confirmations: number;
  readonly signer: Hex;
  readonly tx_nonce: bigint;
  readonly state: SettlementRow["state"];
  readonly reason: string | null;
  readonly transaction: Hex | null;
  readonly created_at: Instant;
};

type AttemptRow = {
  readonly transaction: Hex;
  readonly tx_nonce: bigint;
  readonly raw: Uint8Array;
  readonly max_fee: string;
  readonly tip: string;
  readonly created_at: Instant;
};

export async function findSettlement(db: Sql, of: SettlementId): Promise<SettlementRow | undefined> {
  const row = await db.maybe<Row>(sql`
    select * from settlements
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}`);
  return row === undefined ? undefined : rowOf(row);
}

/** The signer's row, unless it stands. */
export const insertSigner = (
  db: Sql,
  of: { readonly network: string; readonly signer: Hex; readonly nextNonce: number },
): Promise<unknown> =>
  db.run(sql`insert into chain_signers (network, signer, next_nonce)
    values (${of.network}, ${of.signer}, ${of.nextNonce}) on conflict do nothing`);

/** The next transaction nonce, for this transaction alone; undefined when the signer has no row yet. */
export async function takeNonce(tx: GlobalTx, network: string, signer: Hex): Promise<number | undefined> {
  const row = await tx.maybe<{ taken: bigint }>(sql`
    update chain_signers set next_nonce = next_nonce + 1 where network = ${network} and signer = ${signer}
    returning next_nonce - 1 as taken`);
  return row === undefined ? undefined : Number(row.taken);
}

export type NewSettlement = Omit<SettlementRow, "state" | "reason" | "transaction" | "told" | "txNonce">;

/** False when the authorization is being settled, or has been. */
export async function insertSettlement(
  tx: GlobalTx,
  of: NewSettlement,
  lease: { readonly by: Worker; readonly until: Instant },
): Promise<boolean> {
  const at = sqlTime(of.createdAt);
  const written = await tx.run(sql`
    insert into settlements (network, asset, payer, nonce, scheme, owner, pay_to, value, valid_before, call, gas, confirmations,
      signer, tx_nonce, state, worker, boot, leased_until, created_at, updated_at)
    values (${of.network}, ${of.asset}, ${of.from}, ${of.nonce}, ${of.scheme}, ${of.owner ?? null}, ${of.to},
      ${of.value.toString()},
      ${of.validBefore.toString()}, ${bytesOf(of.call)}, ${of.gas}, ${of.confirmations}, ${of.signer}, 0, 'sent',
      ${lease.by.worker}, ${lease.by.boot}, ${sqlTime(lease.until)}, ${at}, ${at})
    on conflict do nothing`);
  return written.count === 1;
}

/** A signed transaction, and that it is the settlement's newest. */
export async function insertAttempt(
  tx: GlobalTx,
  of: SettlementId & { readonly signer: Hex },
  attempt: Attempt,
): Promise<void> {
  const { transaction, txNonce, raw, maxFee, tip, createdAt } = attempt;
  await tx.run(sql`
    insert into settlement_transactions (network, transaction, asset, payer, nonce, signer, tx_nonce, raw, max_fee, tip,
      created_at)
    values (${of.network}, ${transaction}, ${of.asset}, ${of.from}, ${of.nonce}, ${of.signer}, ${txNonce},
      ${bytesOf(raw)}, ${maxFee.toString()}, ${tip.toString()}, ${sqlTime(createdAt)})`);
  await tx.run(sql`
    update settlements set tx_nonce = ${txNonce}, signer = ${of.signer}, updated_at = ${sqlTime(createdAt)}
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}`);
}

/** Every transaction signed for it, the newest first. */
export async function findAttempts(db: Sql, of: SettlementId): Promise<readonly Attempt[]> {
  const rows = await db.many<AttemptRow>(sql`
    select transaction, tx_nonce, raw, max_fee, tip, created_at
    from settlement_transactions
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}
    order by created_at desc, tx_nonce desc`);
  return rows.map((row) => ({
    transaction: row.transaction,
    txNonce: Number(row.tx_nonce),
    raw: hexOf(row.raw),
    maxFee: BigInt(row.max_fee),
    tip: BigInt(row.tip),
    createdAt: row.created_at,
  }));
}

/** Writes what became of it, unless somebody has. */
export async function decide(
  db: Sql,
  of: SettlementId,
  to: Decided & { readonly now: Instant },
): Promise<boolean> {
  const reason = to.state === "failed" ? to.reason : null;
  const block = to.state === "settled" ? to.block : null;
  const written = await db.run(sql`
    update settlements set state = ${to.state}, reason = ${reason}, transaction = ${to.transaction ?? null},
      block = ${block}, updated_at = ${sqlTime(to.now)}
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}
      and state = 'sent'`);
  return written.count === 1;
}

/** True for the one who is told of a settlement that belongs to nobody. */
export async function tell(db: Sql, of: SettlementId, now: Instant): Promise<boolean> {
  const written = await db.run(sql`
    update settlements set told_at = ${sqlTime(now)}
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}
      and state = 'settled' and owner is null and told_at is null`);
  return written.count === 1;
}

/** Open settlements that nobody works on, taken over one statement at a time; the longest waiting first. */
export async function takeDue(
  db: Sql,
  by: Worker & { readonly now: Instant; readonly until: Instant; readonly network: string },
): Promise<readonly SettlementRow[]> {
  const rows = await db.many<Row>(sql`
    update settlements s set worker = ${by.worker}, boot = ${by.boot}, leased_until = ${sqlTime(by.until)}
    from (
      select network, asset, payer, nonce from settlements
      where state = 'sent' and network = ${by.network}
        and (leased_until <= ${sqlTime(by.now)} or (worker = ${by.worker} and boot <> ${by.boot}))
      order by leased_until limit 50 for update skip locked
    ) due
    where s.network = due.network and s.asset = due.asset and s.payer = due.payer and s.nonce = due.nonce
    returning s.*`);
  return rows.map(rowOf);
}

/** Leaves it to whoever comes next, from `at` on. */
export const leave = (db: Sql, of: SettlementId, at: Instant): Promise<unknown> =>
  db.run(sql`update settlements set leased_until = ${sqlTime(at)}
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}
      and state = 'sent'`);

/** What was settled in a block from `block` on and not before `since`: a reorganisation may have undone it. */
export async function findSettledFrom(
  db: Sql,
  at: { readonly network: string; readonly block: bigint; readonly since: Instant },
): Promise<readonly SettlementRow[]> {
  const rows = await db.many<Row>(sql`
    select * from settlements
    where network = ${at.network} and state = 'settled' and block >= ${at.block}
      and updated_at >= ${sqlTime(at.since)} order by block limit 1000`);
  return rows.map(rowOf);
}

/** A settlement whose transaction is no longer on the chain is under way again. */
export const reopen = (db: Sql, of: SettlementId, now: Instant): Promise<unknown> =>
  db.run(sql`update settlements set state = 'sent', block = null, leased_until = ${sqlTime(now)}
    where network = ${of.network} and asset = ${of.asset} and payer = ${of.from} and nonce = ${of.nonce}
      and state = 'settled'`);

/** How many open settlements have one of the nonces from `from` on, up to and without `below`. */
export async function countOpen(
  db: Sql,
  at: { readonly network: string; readonly signer: Hex; readonly from: number; readonly below?: number },
): Promise<number> {
  const { count } = await db.one<{ count: bigint }>(sql`
    select count(*) as count from settlements where network = ${at.network} and signer = ${at.signer}
      and tx_nonce >= ${at.from} and tx_nonce < coalesce(${at.below ?? null}::bigint, tx_nonce + 1) and state = 'sent'`);
  return Number(count);
}

/** The newest bytes of each open settlement that has one of the nonces from `from` on, up to and without `below`; 50 at most. */
export async function findOpenBytes(
  db: Sql,
  at: { readonly network: string; readonly signer: Hex; readonly from: number; readonly below: number },
): Promise<readonly Hex[]> {
  const found = await db.many<{ raw: Uint8Array }>(sql`
    select newest.raw from settlements s
    cross join lateral (
      select t.raw from settlement_transactions t
      where t.network = s.network and t.asset = s.asset and t.payer = s.payer and t.nonce = s.nonce
        and t.tx_nonce = s.tx_nonce and t.signer = s.signer
      order by t.created_at desc limit 1
    ) newest
    where s.network = ${at.network} and s.signer = ${at.signer} and s.state = 'sent'
      and s.tx_nonce >= ${at.from} and s.tx_nonce < ${at.below}
    order by s.tx_nonce limit 50`);
  return found.map(({ raw }) => hexOf(raw));
}

/** The chain expects another nonce than we would take: somebody else used the key, or the chain began anew. */
export const setNonce = (
  db: Sql,
  of: { readonly network: string; readonly signer: Hex; readonly seen: number; readonly to: number },
): Promise<unknown> =>
  db.run(sql`update chain_signers set next_nonce = ${of.to}
    where network = ${of.network} and signer = ${of.signer} and next_nonce = ${of.seen}`);

export async function readNonce(db: Sql, network: string, signer: Hex): Promise<number | undefined> {
  const row = await db.maybe<{ next_nonce: bigint }>(
    sql`select next_nonce from chain_signers where network = ${network} and signer = ${signer}`,
  );
  return row === undefined ? undefined : Number(row.next_nonce);
}

const bytesOf = (hex: Hex): Uint8Array => Buffer.from(hex.slice(2), "hex");
const hexOf = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`;

const rowOf = (row: Row): SettlementRow => ({
  network: row.network,
  asset: row.asset,
  from: row.payer,
  nonce: row.nonce,
  scheme: row.scheme,
  owner: row.owner ?? undefined,
  told: row.told_at !== null,
  to: row.pay_to,
  value: BigInt(row.value),
  validBefore: BigInt(row.valid_before),
  call: hexOf(row.call),
  gas: row.gas,
  confirmations: row.confirmations,
  signer: row.signer,
  txNonce: Number(row.tx_nonce),
  state: row.state,
  reason: row.reason ?? undefined,
  transaction: row.transaction ?? undefined,
  createdAt: row.created_at,
});
