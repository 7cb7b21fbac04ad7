import { setTimeout as pause } from "node:timers/promises";
import { Secret, systemClock } from "@remit/kernel";
import {
  type Chain,
  checkPayment,
  type Facilitator,
  type Receipt,
  reasons,
  type Settlement,
  type SettleStep,
  signerWithKey,
  type TransferPayment,
  useIn,
} from "@remit/rails/x402";
import { sandboxKeys } from "@remit/sandbox";

/** It never hears of a call, its answer is lost, or it answers with an error that it keeps for the key. */
type Trouble = "lost_request" | "lost_answer" | "server_error" | "server_error_after_effect";

/** Somebody's facilitator over a real chain: of what it did it remembers nothing but its errors. */
export function chainFacilitator(chain: Chain) {
  const signer = signerWithKey(new Secret(sandboxKeys.facilitator));
  const verified = new Set<string>();
  const stored = new Set<string>();
  const troubles = new Map<"verify" | "settle", Trouble>();
  let sending: Promise<unknown> = Promise.resolve();
  const taken = (verb: "verify" | "settle"): Trouble | undefined => {
    const trouble = troubles.get(verb);
    troubles.delete(verb);
    return trouble;
  };
  const verify: Facilitator["verify"] = async (payment) => {
    const checked = await checkPayment(chain, systemClock, payment);
    if (checked.kind !== "valid") return checked;
    verified.add(payment.transfer.authorization.nonce);
    return { kind: "valid", payer: payment.transfer.authorization.from };
  };
  const settle = async (payment: TransferPayment): Promise<Settlement> => {
    const checked = await checkPayment(chain, systemClock, payment);
    if (checked.kind === "invalid") return { kind: "failed", reason: checked.reason };
    if (checked.kind === "unknown") return checked;
    const { base, tip } = await chain.fees();
    const { raw, transaction } = await signer.sign({
      chainId: chain.chainId,
      nonce: await chain.transactionCount(signer.address),
      to: payment.domain.verifyingContract,
      data: checked.data,
      gas: checked.gas * 2n,
      maxFee: base * 2n + tip,
      tip,
    });
    await chain.send(raw);
    const receipt = await mined(chain, transaction);
    const use = useIn(receipt.logs, wantedOf(payment));
    return use === "paid" ? { kind: "settled", transaction } : { kind: "failed", reason: reasons.transfer };
  };
  const facilitator: Facilitator = {
    vouches: true,
    verify: (payment) => broken(taken("verify"), () => verify(payment)),
    settle: async (payment, step) => {
      const key = keyOf(step);
      const trouble = taken("settle");
      if (trouble === "server_error") stored.add(key);
      if (stored.has(key)) return { kind: "unknown", because: "server_error" };
      return await broken(trouble, () => {
        // One account sends them, one after the other.
        const settled = sending.then(() => settle(payment));
        sending = settled.catch(() => undefined);
        return settled;
      });
    },
    remembered: async () => ({ kind: "absent" }),
  };
  return {
    facilitator,
    /** Of the nonces of authorizations. */
    verified,
    breakNext: (verb: "verify" | "settle", trouble: Trouble) => troubles.set(verb, trouble),
  };
}

const keyOf = ({ key, attempt }: SettleStep): string => `${key}.${attempt}`;

async function broken<T>(
  trouble: Trouble | undefined,
  work: () => Promise<T>,
): Promise<T | { kind: "unknown"; because: "connection" }> {
  const done = trouble === "lost_request" ? undefined : await work();
  return trouble === undefined && done !== undefined ? done : { kind: "unknown", because: "connection" };
}

export async function mined(chain: Chain, transaction: `0x${string}`): Promise<Receipt> {
  for (;;) {
    const receipt = await chain.receipt(transaction);
    if (receipt !== undefined) return receipt;
    await pause(2);
  }
}

export const wantedOf = (payment: TransferPayment) => {
  const { from, nonce } = payment.transfer.authorization;
  return {
    asset: payment.domain.verifyingContract,
    from,
    nonce,
    to: payment.payTo,
    value: payment.value,
    scheme: "exact" as const,
  };
};
