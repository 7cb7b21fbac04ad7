import type { Secret } from "@remit/kernel";
import type { Hex } from "@remit/protocol";
import { keccak256 } from "viem";
import { privateKeyToAccount } from "viem/accounts";

/** A transaction that calls a token, before it is signed (EIP-1559). */
export type Call = {
  readonly chainId: number;
  readonly nonce: number;
  readonly to: Hex;
  readonly data: Hex;
  readonly gas: bigint;
  readonly maxFee: bigint;
  readonly tip: bigint;
};

/** Who pays for gas. The key stays behind it. */
export type Signer = {
  readonly address: Hex;
  /** The bytes to send, and the id that they will have on the chain. */
  sign(call: Call): Promise<{ readonly raw: Hex; readonly transaction: Hex }>;
};

/** A signer whose key is at hand: 32 bytes in hex. Throws for what is no key, without saying it. */
export function signerWithKey(key: Secret<string>): Signer {
  const text = key.reveal();
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new TypeError("a signer's key is 0x and 64 hex digits");
  const account = privateKeyToAccount(text as Hex); // as just seen
  return {
    address: account.address.toLowerCase() as Hex, // an address stays one
    sign: async ({ chainId, nonce, to, data, gas, maxFee, tip }) => {
      const fees = { maxFeePerGas: maxFee, maxPriorityFeePerGas: tip };
      const raw = await account.signTransaction({ type: "eip1559", chainId, nonce, to, data, gas, ...fees });
      return { raw, transaction: keccak256(raw) };
    },
  };
}
