import { after } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import type { Hex } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import {
  ChainAway,
  type Checked,
  callOf,
  checkPayment,
  type Facilitator,
  reasons,
  type Settlement,
  schemeOf,
  type TransferPayment,
  uncertaintyOf,
} from "@remit/rails/x402";
import { carryOut, conclude, leaseMs, leaveOpen, seatSigner, signNext } from "./sending.ts";
import * as rows from "./settlements.sql.ts";
import {
  type Attempt,
  duplicateOf,
  isFor,
  isOf,
  rememberedOf,
  type SettlementId,
  type SettlementRow,
  settlementOf,
} from "./settlements.ts";
import { type Fees, feesOf, type Station } from "./station.ts";

/** Whose settlement it is: their own key for it, or nobody's. */
export type Owner = { readonly key: string | undefined; readonly confirmations: number };

/** This gateway's own facilitator on one chain. */
export type LocalFacilitator = Facilitator & {
  /** As `settle`, for callers who may have no key. */
  settleFor(payment: TransferPayment, owner: Owner): Promise<Settlement>;
  /** True when nothing was ever signed for it here, and nothing will be: whoever is about to finds it written down as failed. */
  forbid(payment: TransferPayment, no: { readonly owner: Owner; readonly reason: string }): Promise<boolean>;
};

export function createLocalFacilitator(station: Station): LocalFacilitator {
  const { db } = station;
  const fees = feesOf(station);
  const settleFor: LocalFacilitator["settleFor"] = (payment, owner) =>
    settle(station, { payment, owner, fees }).catch((error: unknown) => ({
      kind: "unknown",
      because: uncertaintyOf(error),
    }));
  return {
    vouches: true,
    verify: async (payment) => {
      const { permit, authorization } = payment.transfer;
      // Before anything is served the whole of what may be used must be there.
      if (permit !== undefined && authorization.value !== payment.value)
        return { kind: "invalid", reason: reasons.permitAmount };
      const checked = await check(station, payment);
      return checked.kind === "valid"
        ? { kind: "valid", payer: payment.transfer.authorization.from }
        : checked;
    },
    // The key is the caller's for the whole payment: whichever attempt asks, it is the same settlement.
    settle: (payment, { key, confirmations }) => settleFor(payment, { key, confirmations }),
    settleFor,
    forbid: (payment, no) => forbid(station, payment, no),
    remembered: async (of) => rememberedOf(await rows.findSettlement(db.single, of), sha256b64url(of.key)),
  };
}

/** What was signed for another facilitator is settled by that one alone. */
async function check({ chain, clock, signer }: Station, payment: TransferPayment): Promise<Checked> {
  const { permit } = payment.transfer;
  if (permit !== undefined && permit.facilitator !== signer.address.toLowerCase())
    return { kind: "invalid", reason: reasons.permitFacilitator };
  return await checkPayment(chain, clock, payment);
}

type Asked = {
  readonly payment: TransferPayment;
  readonly owner: Owner;
  readonly fees: () => Promise<Fees>;
};

const ownerOf = ({ key }: Owner): string | undefined => (key === undefined ? undefined : sha256b64url(key));

async function settle(station: Station, asked: Asked): Promise<Settlement> {
  const id = idOf(asked.payment);
  const [known, checked, fees] = await Promise.all([
    rows.findSettlement(station.db.single, id),
    check(station, asked.payment),
    asked.fees(),
  ]);
  if (known !== undefined) return await joinIn(station, known, asked);
  if (checked.kind === "unknown") return checked;
  if (checked.kind === "invalid") return await refused(station, asked, checked.reason);
  if (fees.maxFee > station.feeMax) return { kind: "failed", reason: reasons.gas };
  const begun = await begin(station, { payment: asked.payment, owner: asked.owner, checked, fees });
  if (begun.kind === "known") return await joinIn(station, begun.row, asked);
  return await finish(station, begun.row, begun.attempt);
}

const idOf = ({ network, domain, transfer }: TransferPayment): SettlementId => ({
  network,
  asset: domain.verifyingContract,
  from: transfer.authorization.from,
  nonce: transfer.authorization.nonce,
});

/** A nonce that is used now may have been used by a settlement that began while we looked. */
async function refused(station: Station, asked: Asked, reason: string): Promise<Settlement> {
  const isUsed = reason === reasons.nonce || reason === reasons.permitNonce;
  const row = isUsed ? await rows.findSettlement(station.db.single, idOf(asked.payment)) : undefined;
  return row === undefined ? { kind: "failed", reason } : await joinIn(station, row, asked);
}

type Begun =
  | { readonly kind: "ours"; readonly row: SettlementRow; readonly attempt: Attempt }
  | { readonly kind: "known"; readonly row: SettlementRow };

/** Settlement, transaction nonce and signed bytes in one transaction. Whoever comes second finds the first. */
async function begin(
  station: Station,
  asked: Omit<Asked, "fees"> & {
    readonly checked: Extract<Checked, { kind: "valid" }>;
    readonly fees: Fees;
  },
): Promise<Begun> {
  await seatSigner(station);
  const { payment, owner, checked, fees } = asked;
  // An estimate is of the state now; what others do before us may cost a little more.
  const gas = (checked.gas * 5n) / 4n + 10_000n;
  const fresh = rowOf(station, payment, { owner, call: checked.data, gas });
  return await station.db.global.transaction(async (tx): Promise<Begun> => {
    if (!(await rows.insertSettlement(tx, fresh, leaseOf(station, fresh)))) {
      const row = await rows.findSettlement(tx, fresh);
      if (row === undefined) throw new ChainAway("the settlement beside this one is gone");
      return { kind: "known", row };
    }
    const attempt = await signNext(station, tx, { ...fresh, fees });
    if (attempt === undefined) throw new ChainAway("the signer has no nonce");
    const { txNonce } = attempt;
    const open = { told: false, state: "sent", reason: undefined, transaction: undefined, txNonce } as const;
    return { kind: "ours", row: { ...fresh, ...open }, attempt };
  });
}

const rowOf = (
  { clock, signer }: Station,
  payment: TransferPayment,
  { owner, call, gas }: { readonly owner: Owner; readonly call: Hex; readonly gas: bigint },
): rows.NewSettlement => ({
  ...idOf(payment),
  scheme: schemeOf(payment),
  owner: ownerOf(owner),
  to: payment.payTo,
  value: payment.value,
  validBefore: payment.transfer.authorization.validBefore,
  call,
  gas,
  confirmations: owner.confirmations,
  signer: signer.address,
  createdAt: clock.now(),
});

const leaseOf = ({ by, waitMs }: Station, { createdAt }: rows.NewSettlement) => ({
  by,
  until: after(createdAt, leaseMs + waitMs),
});

/** A settlement that has failed before it began: who comes later, or was checking it meanwhile, finds it known. */
async function forbid(
  station: Station,
  payment: TransferPayment,
  { owner, reason }: { readonly owner: Owner; readonly reason: string },
): Promise<boolean> {
  const fresh = rowOf(station, payment, { owner, call: callOf(payment), gas: 0n });
  return await station.db.global.transaction(async (tx) => {
    if (await rows.insertSettlement(tx, fresh, leaseOf(station, fresh)))
      return await rows.decide(tx, fresh, { state: "failed", reason, now: fresh.createdAt });
    const row = await rows.findSettlement(tx, fresh);
    // Of what was signed for it once, a failure says nothing of those who have read it since.
    return row?.state === "failed" && (await rows.findAttempts(tx, fresh)).length === 0;
  });
}

async function finish(station: Station, row: SettlementRow, attempt: Attempt): Promise<Settlement> {
  const until = station.clock.now() + station.waitMs;
  const decided = await carryOut(station, row, attempt);
  if (decided !== undefined) return await told(station, await conclude(station, row, decided));
  await leaveOpen(station, row);
  const settled = await waitFor(station, row, { owner: row.owner, until });
  return settled.kind === "unknown" ? { ...settled, transaction: attempt.transaction } : settled;
}

/** A settled payment without an owner is told to one asker. */
async function told({ db, clock }: Station, row: SettlementRow): Promise<Settlement> {
  if (row.state !== "settled" || row.owner !== undefined) return settlementOf(row);
  return (await rows.tell(db.single, row, clock.now())) ? settlementOf(row) : duplicateOf(row);
}

const pollMsMin = 10;
const pollMsMax = 250;

/** Another's answer is told to whom it is owed, and of what was asked for alone. */
const joinIn = (
  station: Station,
  row: SettlementRow,
  { payment, owner }: Pick<Asked, "payment" | "owner">,
): Promise<Settlement> | Settlement =>
  isOf(row, payment)
    ? waitFor(station, row, { owner: ownerOf(owner), until: station.clock.now() + station.waitMs })
    : duplicateOf(row);

/** Waits beside whoever brings it on the chain, if the answer will be the asker's. */
async function waitFor(
  station: Station,
  known: SettlementRow,
  { owner, until }: { readonly owner: string | undefined; readonly until: number },
): Promise<Settlement> {
  const { clock, db } = station;
  let row = known;
  for (let waitMs = pollMsMin; row.state === "sent" && isFor(row, owner) && clock.now() < until; ) {
    await pause(waitMs);
    waitMs = Math.min(waitMs * 2, pollMsMax);
    row = (await rows.findSettlement(db.single, row)) ?? row;
  }
  if (!isFor(row, owner)) return duplicateOf(row);
  return await told(station, row);
}
