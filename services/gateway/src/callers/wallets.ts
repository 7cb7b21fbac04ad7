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

/** The holder of a wallet, proven; its text counts once, if whoever relies on it claims its first use. */
export type Wallet = {
  /** `0x…` in lower case. */
  readonly address: string;
  readonly firstUse: { readonly key: string; readonly until: Instant };
};

/**
 * Who signed in, by a text for this origin, signed within the last ten minutes (EIP-4361). Asks nobody and writes nothing:
 * that the text is new is to be claimed with `firstUse`.
 */
export async function signedInAt(
  { signIn, text, signature }: SignedIn,
  at: { readonly origin: string; readonly now: Instant },
): Promise<Wallet> {
  examineSignIn(signIn, at);
  const address = signIn.address.toLowerCase();
  if ((await signerOf(text, signature)) !== address)
    throw new Problem("sign_in_invalid", {
      detail: "The signature is not one of this address; those of contract wallets are not understood.",
    });
  return {
    address,
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
