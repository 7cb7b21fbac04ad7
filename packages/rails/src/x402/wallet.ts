import { createHmac } from "node:crypto";
import { type Id, Secret } from "@remit/kernel";
import { type Hex, type TokenDomain, type TransferAuthorization, transferDigest } from "@remit/protocol";
import { privateKeyToAccount, sign } from "viem/accounts";

/** A wallet that is one key. The key stays behind it. */
export type Wallet = {
  readonly address: Hex;
  /** Signs a transfer of its own money (EIP-3009). Of the same words always the same signature (RFC 6979). */
  signTransfer(domain: TokenDomain, authorization: TransferAuthorization): Promise<Hex>;
};

/** A wallet whose key is at hand: 32 bytes in hex. Throws for what is no key, without saying it. */
export function walletWithKey(key: Secret<string>): Wallet {
  const text = key.reveal();
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new TypeError("a wallet's key is 0x and 64 hex digits");
  const privateKey = text as Hex; // as just seen
  return {
    address: privateKeyToAccount(privateKey).address.toLowerCase() as Hex, // an address stays one
    signTransfer: (domain, authorization) =>
      sign({ hash: transferDigest(domain, authorization), privateKey, to: "hex" }),
  };
}

/** Whose wallet it is that a purchase is paid from; undefined where a payer has none. */
export type Wallets = (payer: Id<"tenant">) => Promise<Wallet | undefined>;

/**
 * A wallet for each payer, its key made from one seed and from who it is: nothing is stored, and no payer's key tells
 * another's. Whoever has the seed has them all.
 */
export function walletsOfSeed(seed: Secret<string>): Wallets {
  if (!/^[0-9a-fA-F]{64,}$/.test(seed.reveal()))
    throw new TypeError("a seed of wallets is at least 64 hex digits");
  const key = Buffer.from(seed.reveal(), "hex");
  return async (payer) => {
    const made = createHmac("sha256", key).update(`remit-wallet/1:${payer}`).digest("hex");
    return walletWithKey(new Secret(`0x${made}`));
  };
}
