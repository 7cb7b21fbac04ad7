import { after, type Instant, secondMs } from "@remit/kernel";
import type { Hex } from "@remit/protocol";
import { type Block, ChainAway, reasons } from "@remit/rails/x402";
import { byOthers, conclude, leaseMs, leaveOpen, lookUp, signNext, signWith } from "./sending.ts";
import * as rows from "./settlements.sql.ts";
import { type Attempt, type Decided, raised, type SettlementRow } from "./settlements.ts";
import type { Fees, Station } from "./station.ts";

const againMs = secondMs;

/** Goes on with every settlement that a crash, or a chain that did not answer, left open. Returns how many ended. */
export async function recoverSettlements(station: Station, signal: AbortSignal): Promise<number> {
  const { db, clock, by, network, log } = station;
  const now = clock.now();
  const due = await rows.takeDue(db.single, { ...by, network, now, until: after(now, leaseMs) });
  let ended = 0;
  // The lowest nonce first: the others wait for it on the chain, too.
  for (const row of [...due].sort((a, b) => a.txNonce - b.txNonce)) {
    const isOver =
      !signal.aborted &&
      (await recover(station, row).catch((error: unknown) => {
        log.warn({ network, nonce: row.nonce, error }, "a settlement could not be recovered yet");
        return false;
      }));
    if (isOver) ended += 1;
    else await leaveOpen(station, row, signal.aborted ? 0 : againMs);
  }
  return ended;
}

/** True when it has come to its end. */
async function recover(station: Station, row: SettlementRow): Promise<boolean> {
  const attempts = await rows.findAttempts(station.db.single, row);
  const decided =
    (await lookUp(station, row, attempts)) ??
    (await byOthers(station, row)) ??
    (row.scheme === "upto" ? await permitExpired(station, row, attempts) : await expired(station, row));
  if (decided !== undefined) {
    await conclude(station, row, decided);
    return true;
  }
  // A permit that is used buys nothing more, whoever used it: what is sent again would only cost gas.
  if (row.scheme === "exact" || !(await station.chain.isUsed(row))) await sendAgain(station, row, attempts);
  return false;
}

/** It can be used no more, and none of our transactions has paid by it, on a chain that stays as it is. */
async function permitExpired(
  { chain }: Station,
  row: SettlementRow,
  attempts: readonly Attempt[],
): Promise<Decided | undefined> {
  if (!(await chain.isPast(row.validBefore))) return undefined;
  const receipts = await Promise.all(attempts.map(({ transaction }) => chain.receipt(transaction)));
  if (receipts.some((receipt) => receipt?.succeeded)) return undefined;
  return { state: "failed", reason: (await chain.isUsed(row)) ? reasons.permitNonce : reasons.validBefore };
}

/** Nobody has used it, and no block can change that any more. */
const expired = async ({ chain }: Station, row: SettlementRow): Promise<Decided | undefined> =>
  (await chain.isOver(row, row.validBefore)) ? { state: "failed", reason: reasons.validBefore } : undefined;

async function sendAgain(station: Station, row: SettlementRow, attempts: readonly Attempt[]): Promise<void> {
  const { chain, clock, log, network } = station;
  const [newest] = attempts;
  // A key that was replaced cannot be signed with; its bytes can still be sent.
  const isOurs = row.signer === station.signer.address;
  const mined = await chain.transactionCount(row.signer);
  if (newest === undefined || mined > newest.txNonce) {
    // Another transaction has this nonce, and none of ours ever will be mined: the key is used elsewhere, too.
    log.error(
      { network, signer: row.signer, nonce: newest?.txNonce },
      "a transaction nonce was taken by others",
    );
    if (isOurs) await signAnew(station, row, mined);
    return;
  }
  const sent = await chain.send(newest.raw);
  if (sent === "nonce_too_low") return;
  const isGap =
    mined < newest.txNonce &&
    (await rows.countOpen(station.db.single, {
      network,
      signer: row.signer,
      from: mined,
      below: newest.txNonce,
    })) === 0;
  if (isGap && isOurs) return await fillGap(station, row, mined);
  if (sent === "no_gas")
    log.error({ network, signer: row.signer }, "the facilitator's key cannot pay for gas");
  const isStuck = sent === "underpriced" || clock.now() - newest.createdAt >= station.patienceMs;
  // One that waits behind another is not slow for its fee.
  if (isStuck && isOurs && mined === newest.txNonce) await outbid(station, row, newest);
}

/** Replaces it: the same nonce, so that one of the two is mined at most, and more for whoever mines it. */
async function outbid(station: Station, row: SettlementRow, former: Attempt): Promise<void> {
  const { chain, db, feeMax, log } = station;
  const { base, tip: usual } = await chain.fees();
  const tip = most(raised(former.tip), usual);
  const maxFee = most(raised(former.maxFee), base * 2n + tip);
  if (maxFee > feeMax) {
    log.error({ transaction: former.transaction, maxFee: String(maxFee) }, "gas costs more than may be paid");
    return;
  }
  const attempt = await db.global.transaction((tx) =>
    signWith(station, tx, { ...row, fees: { maxFee, tip }, txNonce: former.txNonce }),
  );
  log.warn({ replaced: former.transaction, by: attempt.transaction }, "a settlement pays more for gas");
  await send(station, attempt.raw);
}

/** Another nonce. The token's own nonce lets only one of all transactions pay, whichever are mined. */
async function signAnew(station: Station, row: SettlementRow, mined: number): Promise<void> {
  const { db, network, signer } = station;
  const seen = await rows.readNonce(db.single, network, signer.address);
  if (seen !== undefined && seen < mined)
    await rows.setNonce(db.single, { network, signer: signer.address, seen, to: mined });
  const fees = await freshFees(station);
  if (fees === undefined) return;
  const attempt = await db.global.transaction((tx) => signNext(station, tx, { ...row, fees }));
  if (attempt !== undefined) await send(station, attempt.raw);
}

/** Nothing of ours waits for the nonces before this one's: the chain began anew, or what had them was given up. */
async function fillGap(station: Station, row: SettlementRow, mined: number): Promise<void> {
  const { db, network, log, signer } = station;
  log.warn({ network, signer: signer.address, mined, nonce: row.txNonce }, "transaction nonces are missing");
  const of = { network, signer: signer.address };
  const seen = await rows.readNonce(db.single, network, signer.address);
  const isAlone = (await rows.countOpen(db.single, { ...of, from: mined })) === 1;
  if (isAlone && seen !== undefined) await rows.setNonce(db.single, { ...of, seen, to: mined + 1 });
  const fees = await freshFees(station);
  if (fees === undefined) return;
  const attempt = await db.global.transaction((tx) =>
    signWith(station, tx, { ...row, fees, txNonce: mined }),
  );
  await send(station, attempt.raw);
}

/** Undefined while gas costs more than may be paid: the next look asks again. */
async function freshFees({ chain, feeMax, log, network }: Station): Promise<Fees | undefined> {
  const { base, tip } = await chain.fees();
  const maxFee = base * 2n + tip;
  if (maxFee <= feeMax) return { maxFee, tip };
  log.error({ network, maxFee: String(maxFee) }, "gas costs more than may be paid");
  return undefined;
}

/** Takes up the chain's word on the next nonce, where nothing of ours is under way that would explain the difference. */
export async function steady({ db, chain, network, signer, log }: Station): Promise<void> {
  const of = { network, signer: signer.address };
  const seen = await rows.readNonce(db.single, network, signer.address);
  if (seen === undefined) return;
  const mined = await chain.transactionCount(signer.address);
  if (mined === seen || (await rows.countOpen(db.single, { ...of, from: 0 })) > 0) return;
  log.warn({ ...of, seen, mined }, "the chain expects another transaction nonce than was noted");
  await rows.setNonce(db.single, { ...of, seen, to: mined });
}

async function send({ chain }: Station, raw: Hex): Promise<void> {
  await chain.send(raw).catch((error: unknown) => {
    // It is written down: the next look sends it again.
    if (!(error instanceof ChainAway)) throw error;
  });
}

const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);

// Deeper than this no chain that is paid on is reorganised.
const watchMs = 900 * secondMs;

/** Looks again at what has settled payments: from time to time, and whenever the chain is another than it was. */
export function reviewer(station: Station): () => Promise<number> {
  let anchor: Block | undefined;
  return async () => {
    const { chain } = station;
    const head = await chain.block();
    const stands = anchor !== undefined && (await chain.block(anchor.number))?.hash === anchor.hash;
    const from = stands && anchor !== undefined ? anchor.number + 1n : 0n;
    const undone = await review(station, from);
    anchor = head;
    return undone;
  };
}

/** Opens those again whose transaction is not on the chain any more: the same bytes are sent again. */
async function review({ db, clock, network, chain, log }: Station, from: bigint): Promise<number> {
  const since: Instant = after(clock.now(), -watchMs);
  let undone = 0;
  for (const row of await rows.findSettledFrom(db.single, { network, block: from, since })) {
    if (row.transaction !== undefined && (await chain.receipt(row.transaction))?.succeeded === true) continue;
    log.error({ network, transaction: row.transaction }, "a settlement was undone by a reorganisation");
    await rows.reopen(db.single, row, clock.now());
    undone += 1;
  }
  return undone;
}
