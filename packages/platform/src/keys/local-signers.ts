import { invariant } from "@remit/kernel";
import { parsePrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, signatureOf } from "@remit/protocol/node";
import { decrypt, encrypt } from "./envelope.ts";
import type { Kek } from "./kek.ts";
import type { SignerEngine } from "./signers.ts";

/** Keys of our own: made here, kept as ciphertext under the key-encryption key, opened into memory. */
export const localSigners = (kek: Kek): SignerEngine => ({
  name: "local",
  async create({ purpose, alg }) {
    const privateJwk = generateJwk(alg);
    const { kid } = privateJwk;
    invariant(kid !== undefined, "a generated key has a kid");
    const plaintext = new TextEncoder().encode(JSON.stringify(privateJwk));
    const wrapped = encrypt(kek.key.reveal(), { plaintext, aad: wrapAad(purpose, kid) });
    return { jwk: { ...publicJwkOf(privateJwk), kid, use: "sig" }, kept: { wrapped, kek: kek.fingerprint } };
  },
  async open({ purpose, kid, wrapped }) {
    invariant(wrapped !== null, "a key of ours that signs is in its row");
    const plaintext = decrypt(kek.key.reveal(), { sealed: wrapped, aad: wrapAad(purpose, kid) });
    const privateJwk = parsePrivateJwk(JSON.parse(new TextDecoder().decode(plaintext)));
    invariant(privateJwk !== undefined, "a stored signing key is one we can sign with");
    return { sign: (data) => signatureOf(privateJwk, data) };
  },
});

/** Says which key a ciphertext is, so that one cannot stand in another's place. */
export const wrapAad = (purpose: string, kid: string): string => `signing key\n${purpose}\n${kid}`;
