import { after, type Instant, secondMs } from "@remit/kernel";
import {
  base64,
  clockSkewS,
  decodeUtf8,
  examineSignIn,
  Problem,
  parseSignInText,
  readSignIn,
  type SignedIn,
  signInWindowS,
} from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { signerOf } from "@remit/rails/wallet";
import type { ContractJudge } from "./contracts.ts";

/** The holder of a wallet, proven; its text counts once, if whoever relies on it claims its first use. */
export type Wallet = {
  /**
   * `0x…` in lower case. Of a contract CAIP-10, `eip155:8453:0x…`: whoever owns the one at an address of one chain need not own
   * the one at the same address of another, so that nobody may take the two for the same.
   */
  readonly name: string;
  readonly firstUse: { readonly key: string; readonly until: Instant };
};

/**
 * Who signed in, by a text for this origin, signed within the last ten minutes (EIP-4361). A signature that is not the
 * address's own key's is a contract's to judge (ERC-1271). Writes nothing: that the text is new is to be claimed with `firstUse`.
 */
export async function signedInAt(
  signed: SignedIn,
  at: { readonly origin: string; readonly now: Instant; readonly judge: ContractJudge },
): Promise<Wallet> {
  const { signIn, text, signature } = signed;
  examineSignIn(signIn, at);
  const address = signIn.address.toLowerCase();
  const isOwnKeys = (await signerOf(text, signature)) === address;
  if (!isOwnKeys && !(await at.judge(signed)))
    throw new Problem("sign_in_invalid", {
      detail:
        "The signature is not one of this address, nor does a contract there say so on a chain that is read here.",
    });
  return {
    name: isOwnKeys ? address : `${signIn.chainId}:${address}`,
    firstUse: {
      key: `siwx:${sha256b64url(JSON.stringify([at.origin, address, signIn.nonce]))}`,
      until: after(at.now, (signInWindowS + clockSkewS) * secondMs),
    },
  };
}

/** `SIGN-IN-WITH-X`, as x402's clients send it. */
export const ofHeader = (value: string): SignedIn => readSignIn(value);

/** `Authorization: SIWX <base64 of the text>.<base64 of the signature>`. */
export function ofAuthorization(value: string): SignedIn {
  const [text, signature, ...more] = value.split(".").map((part) => {
    const bytes = base64.decode(part);
    return bytes === undefined ? undefined : decodeUtf8(bytes);
  });
  if (text === undefined || signature === undefined || more.length > 0)
    throw new Problem("sign_in_invalid", {
      detail: "SIWX takes base64 of the text, a dot, base64 of the signature.",
    });
  return ofText(text, signature.trim());
}

export const ofText = (text: string, signature: string): SignedIn => ({
  signIn: parseSignInText(text),
  text,
  signature,
});
