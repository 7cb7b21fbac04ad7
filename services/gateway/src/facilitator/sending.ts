import { after, invariant, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { pause } from "@remit/platform/jobs";
import type { GlobalTx } from "@remit/platform/sql";
import type { Hex } from "@remit/protocol";
import { ChainAway, type Receipt, reasons, useIn } from "@remit/rails/x402";
import * as rows from "./settlements.sql.ts";
import {
  type Attempt,
  calledBy,
  type Decided,
  type SettlementId,
  type SettlementRow,
} from "./settlements.ts";
import type { Fees, Station } from "./station.ts";

/** How long a settlement is left to the process that began it. */
export const leaseMs = 20 * secondMs;

type ToSign = SettlementId &
  Pick<SettlementRow, "scheme" | "call" | "gas"> & {
    readonly fees: Fees;
  };

/**
 * Takes the next transaction nonce, signs, and writes the bytes down, all or nothing: whatever dies after the commit, the
 * same bytes are there to be sent. Before it nothing has happened.
 */
export async function signNext(station: Station, tx: GlobalTx, of: ToSign): Promise<Attempt | undefined> {
  const nonce = await rows.takeNonce(tx, station.network, station.signer.address);
  return nonce === undefined ? undefined : await signWith(station, tx, { ...of, txNonce: nonce });
}

/** Signs for a nonce that has been taken: the first time, or to replace what nobody wants to mine. */
export async function signWith(
  station: Station,
  tx: GlobalTx,
  of: ToSign & { readonly txNonce: number },
): Promise<Attempt> {
  const { chain, signer, clock } = station;
  const { raw, transaction } = await signer.sign({
    chainId: chain.chainId,
    nonce: of.txNonce,
    to: calledBy(of),
    data: of.call,
    gas: of.gas,
    ...of.fees,
  });
  const attempt = { transaction, txNonce: of.txNonce, raw, ...of.fees, createdAt: clock.now() };
  await rows.insertAttempt(tx, { ...of, signer: signer.address }, attempt);
  return attempt;
}

/** The signer has a row; its first nonce is the chain's, asked for outside of any transaction. */
export async function seatSigner({ db, chain, network, signer }: Station): Promise<void> {
  if ((await rows.readNonce(db.single, network, signer.address)) !== undefined) return;
  const nextNonce = await chain.transactionCount(signer.address);
  await rows.insertSigner(db.single, { network, signer: signer.address, nextNonce });
}

const pollMsMin = 4;
const pollMsMax = 500;

/**
 * Sends what was written down and waits until it is known what became of it. Undefined when it was not taken, or stays
 * unmined for so long that recovery must look at it.
 */
export async function carryOut(
  station: Station,
  of: SettlementRow,
  attempt: Attempt,
): Promise<Decided | undefined> {
  const { clock, chain, log } = station;
  await failpoint("facilitator.signed");
  const until = clock.now() + Math.min(station.waitMs, station.patienceMs);
  const sent = await chain.send(attempt.raw).catch(away);
  await failpoint("facilitator.sent");
  if (sent !== "taken") {
    log.warn({ transaction: attempt.transaction, sent }, "a settlement was not taken at once");
    return undefined;
  }
  let pushAt = clock.now() + pushMs;
  for (let waitMs = pollMsMin; clock.now() < until; waitMs = Math.min(waitMs * 1.5, pollMsMax)) {
    const decided = await lookUp(station, of, [attempt]).catch(away);
    if (decided !== undefined) return decided;
    if (clock.now() >= pushAt) {
      await sendThoseBefore(station, of.signer, attempt.txNonce).catch(away);
      pushAt = clock.now() + pushMs;
    }
    await pause(waitMs);
  }
  return undefined;
}

const pushMs = secondMs;

/**
 * A chain takes a key's transactions in the order of their nonces, so that one that its process has signed and not sent, because
 * it died between, holds up all after it. Its bytes are written down, and whoever sends them sends the same transaction: no lease
 * need end first.
 */
async function sendThoseBefore({ db, chain, network }: Station, signer: Hex, below: number): Promise<void> {
  const from = await chain.transactionCount(signer);
  for (const raw of await rows.findOpenBytes(db.single, { network, signer, from, below }))
    await chain.send(raw);
}

const away = (error: unknown): undefined => {
  if (error instanceof ChainAway) return undefined;
  throw error;
};

/** What the chain says of it now; undefined while it says nothing, or not deep enough. */
export async function lookUp(
  station: Station,
  of: SettlementRow,
  attempts: readonly Attempt[],
): Promise<Decided | undefined> {
  let no: Decided | undefined;
  let unseen = 0;
  for (const { transaction } of attempts) {
    const receipt = await station.chain.receipt(transaction);
    if (receipt === undefined) unseen += 1;
    const decided = receipt === undefined ? undefined : await judge(station, of, { transaction, receipt });
    if (decided?.state === "settled") return decided;
    no ??= decided;
  }
  // Which transaction used a permit no record says: it may be one of ours that this node does not know yet.
  if (no === undefined || (of.scheme === "upto" && unseen > 0)) return undefined;
  // A no counts once no other transaction of ours can still say yes.
  return (await areMined(station, of, attempts)) ? no : undefined;
}

async function areMined(
  { chain }: Station,
  of: SettlementRow,
  attempts: readonly Attempt[],
): Promise<boolean> {
  const mined = await chain.transactionCount(of.signer);
  return attempts.every(({ txNonce }) => txNonce < mined);
}

/** Our transaction is in a block. It is paid if the money went where it was to go; else somebody else's may have been. */
async function judge(
  station: Station,
  of: SettlementRow,
  { transaction, receipt }: { readonly transaction: Hex; readonly receipt: Receipt },
): Promise<Decided | undefined> {
  const use = receipt.succeeded ? useIn(receipt.logs, of) : "none";
  if (use === "paid") return await whenDeep(station, of, { transaction, block: receipt.block });
  if (use === "misdirected") return { state: "failed", reason: reasons.transfer, transaction };
  if (of.scheme === "upto")
    return { state: "failed", reason: await permitReason(station, of, receipt.block), transaction };
  const others = await byOthers(station, of);
  if (others !== undefined) return others;
  // "Unused" may be the word of a node that does not know the block of our own transaction yet.
  if (await station.chain.isUsed(of, receipt.block)) return undefined;
  return { state: "failed", reason: reasons.transaction, transaction };
}

const permitReason = async ({ chain }: Station, of: SettlementRow, block: bigint): Promise<string> =>
  (await chain.isUsed(of, block)) ? reasons.permitNonce : reasons.transaction;

/** What another's transaction did with the authorization: anybody may send one, and the payer may cancel it. */
export async function byOthers(station: Station, of: SettlementRow): Promise<Decided | undefined> {
  // A permit names the one who may settle it, which is us: what else its payer did with it is known once it has expired.
  if (of.scheme === "upto") return undefined;
  const found = await station.chain.findUse(of);
  if (found.kind === "unused") return undefined;
  // It has been used, and where is out of sight: nobody may say that it was not paid.
  if (found.kind === "lost") throw new ChainAway("a used authorization was not found in the chain's events");
  const { transaction, block } = found;
  if (found.use === "paid") return await whenDeep(station, of, { transaction, block });
  return {
    state: "failed",
    reason: found.use === "misdirected" ? reasons.transfer : reasons.nonce,
    transaction,
  };
}

async function whenDeep(
  { chain }: Station,
  { confirmations }: SettlementRow,
  at: { readonly transaction: Hex; readonly block: bigint },
): Promise<Decided | undefined> {
  invariant(confirmations >= 1, "a transfer counts in its own block at the earliest");
  if (confirmations > 1 && (await chain.head()) - at.block + 1n < BigInt(confirmations)) return undefined;
  return { state: "settled", ...at };
}

/** Writes down what became of it; what another process wrote first stands. */
export async function conclude(
  { db, clock, log }: Station,
  of: SettlementRow,
  decided: Decided,
): Promise<SettlementRow> {
  await failpoint("facilitator.mined");
  await rows.decide(db.single, of, { ...decided, now: clock.now() });
  const row = await rows.findSettlement(db.single, of);
  invariant(row !== undefined && row.state !== "sent", "what was decided is written");
  if (row.state === "failed")
    log.warn({ network: of.network, nonce: of.nonce, reason: row.reason }, "a settlement failed");
  return row;
}

/** Somebody else may go on with it, from `inMs` on. */
export const leaveOpen = ({ db, clock }: Station, of: SettlementId, inMs = 0): Promise<unknown> =>
  rows.leave(db.single, of, after(clock.now(), inMs));
