import { recoverMessageAddress } from "viem";

/**
 * Whose key signed the text, in lower case; undefined for what is no signature of an externally owned account (ERC-191
 * version 0x45, `personal_sign`). The signature of a contract's wallet (ERC-1271) only its chain could judge.
 */
export async function signerOf(text: string, signature: string): Promise<string | undefined> {
  if (!isSignature(signature)) return undefined;
  const address = await recoverMessageAddress({ message: text, signature }).catch(() => undefined);
  return address?.toLowerCase();
}

// 65 bytes: r, s, and 0, 1, 27 or 28.
const isSignature = (text: string): text is `0x${string}` =>
  /^0x[0-9a-fA-F]{128}(?:0[01]|1[bc])$/i.test(text);
