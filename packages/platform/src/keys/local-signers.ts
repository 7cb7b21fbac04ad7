import { invariant } from "@remit/kernel";
import { parsePrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, signatureOf } from "@remit/protocol/node";
import type { Kek } from "./kek.ts";
import { signingKeyAad } from "./places.ts";
import type { SignerEngine } from "./signers.ts";

/** Keys of our own: made here, kept as ciphertext under the key-encryption key, opened into memory. */
export const localSigners = (kek: Kek): SignerEngine => ({
  name: "local",
  async create({ purpose, alg }) {
    const privateJwk = generateJwk(alg);
    const { kid } = privateJwk;
    invariant(kid !== undefined, "a generated key has a kid");
    const plaintext = new TextEncoder().encode(JSON.stringify(privateJwk));
    const kept = await kek.wrap({ plaintext, aad: signingKeyAad(purpose, kid) });
    return { jwk: { ...publicJwkOf(privateJwk), kid, use: "sig" }, kept };
  },
  async open({ purpose, kid, wrapped, kek: by }) {
    invariant(wrapped !== null, "a key of ours that signs is in its row");
    const plaintext = await kek.unwrap({ wrapped, kek: by, aad: signingKeyAad(purpose, kid) });
    const privateJwk = parsePrivateJwk(JSON.parse(new TextDecoder().decode(plaintext)));
    invariant(privateJwk !== undefined, "a stored signing key is one we can sign with");
    return { sign: (data) => signatureOf(privateJwk, data) };
  },
});
