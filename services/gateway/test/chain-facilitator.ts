import { setTimeout as pause } from "node:timers/promises";
import { Secret, systemClock } from "@remit/kernel";
import {
  type Chain,
  checkPayment,
  type Facilitator,
  type Settlement,
  signerWithKey,
  type TransferPayment,
  useIn,
} from "@remit/rails/x402";
import { sandboxKeys } from "@remit/testkit";

/** What goes wrong at a facilitator: it never hears of a call, or its answer is lost. */
export type Trouble = "lost_request" | "lost_answer";

const unknown = { kind: "unknown", because: "connection" } as const;

/** Somebody's facilitator over a real chain, which remembers nothing. */
export function chainFacilitator(chain: Chain) {
  const signer = signerWithKey(new Secret(sandboxKeys.facilitator));
  let trouble: Trouble | undefined;
  let sending: Promise<unknown> = Promise.resolve();
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
    let receipt = await chain.receipt(transaction);
    while (receipt === undefined) {
      await pause(2);
      receipt = await chain.receipt(transaction);
    }
    const { from, nonce } = payment.transfer.authorization;
    const asset = payment.domain.verifyingContract;
    const use = useIn(receipt.logs, { asset, from, nonce, to: payment.payTo, value: payment.value });
    return use === "paid" ? { kind: "settled", transaction } : { kind: "failed", reason: "transfer_failed" };
  };
  const facilitator: Facilitator = {
    vouches: true,
    verify: async (payment) => {
      const checked = await checkPayment(chain, systemClock, payment);
      return checked.kind === "valid"
        ? { kind: "valid", payer: payment.transfer.authorization.from }
        : checked;
    },
    settle: async (payment) => {
      const lost = trouble;
      trouble = undefined;
      if (lost === "lost_request") return unknown;
      // One account sends them, one after the other.
      const settled = sending.then(() => settle(payment));
      sending = settled.catch(() => undefined);
      const settlement = await settled;
      return lost === "lost_answer" ? unknown : settlement;
    },
    remembered: () => Promise.resolve({ kind: "absent" }),
  };
  return {
    facilitator,
    breakNext: (next: Trouble): void => {
      trouble = next;
    },
  };
}
