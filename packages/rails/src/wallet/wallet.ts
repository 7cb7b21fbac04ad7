import { hashMessage, recoverMessageAddress } from "viem";

/**
 * Whose key signed the text, in lower case; undefined for what is no signature of an externally owned account (ERC-191
 * version 0x45, `personal_sign`). The signature of a contract's wallet only its chain can judge.
 */
export async function signerOf(text: string, signature: string): Promise<string | undefined> {
  if (!isSignature(signature)) return undefined;
  const address = await recoverMessageAddress({ message: text, signature }).catch(() => undefined);
  return address?.toLowerCase();
}

// 65 bytes: r, s, and 0, 1, 27 or 28.
const isSignature = (text: string): text is `0x${string}` =>
  /^0x[0-9a-fA-F]{128}(?:0[01]|1[bc])$/i.test(text);

/** What a contract's wallet is asked about (ERC-1271): the text as `personal_sign` hashes it (ERC-191). */
export const textDigest = (text: string): `0x${string}` => hashMessage(text);
