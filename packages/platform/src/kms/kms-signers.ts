import { createHash, createPublicKey } from "node:crypto";
import { invariant } from "@remit/kernel";
import { type PublicJwk, parsePublicJwk } from "@remit/protocol";
import { holds, thumbprint } from "@remit/protocol/node";
import type { Signer, SignerEngine, StoredKey } from "../keys/index.ts";
import { rawOfDer } from "../vault/index.ts";
import type { Kms } from "./kms.ts";
import { bytesOf, wrong } from "./kms-kek.ts";

const specOf = { ES256: "ECC_NIST_P256", EdDSA: "ECC_NIST_EDWARDS25519" } as const;
/** What KMS signs as it is. */
const rawBytesMax = 4096;

/** Private keys in AWS KMS: one key each, made there, never leaving it. */
export function kmsSigners({ kms, prefix }: { readonly kms: Kms; readonly prefix: string }): SignerEngine {
  return {
    name: "kms",
    async create({ purpose, alg }) {
      const made = await kms.call("CreateKey", {
        KeySpec: specOf[alg],
        KeyUsage: "SIGN_VERIFY",
        Description: `Remit: ${prefix}${purpose}`,
        Tags: [{ TagKey: "remit-purpose", TagValue: `${prefix}${purpose}` }],
      });
      const { KeyId: reference } = Object(made?.["KeyMetadata"]);
      if (typeof reference !== "string") throw wrong("made no key");
      const jwk = publicJwk(bytesOf(await kms.call("GetPublicKey", { KeyId: reference }), "PublicKey"));
      const kid = thumbprint(jwk);
      return { jwk: { ...jwk, alg, kid, use: "sig" }, kept: { reference } };
    },
    open: async (key) => signerOf(kms, key),
  };
}

function publicJwk(spki: Uint8Array): PublicJwk {
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  const jwk = parsePublicJwk(key.export({ format: "jwk" }));
  invariant(jwk !== undefined, "KMS shows a public key of the kind it was asked for");
  return jwk;
}

function signerOf(kms: Kms, { alg, kid, public_jwk: jwk, reference }: StoredKey): Signer {
  invariant(reference !== null, "a key in KMS is named");
  return {
    async sign(data) {
      const asked = alg === "ES256" ? ecdsa(data) : ed25519(data);
      const signed = bytesOf(await kms.call("Sign", { KeyId: reference, ...asked }), "Signature");
      const signature = alg === "ES256" ? rawOfDer(signed) : signed;
      // What does not verify must not leave: it would be refused everywhere, or be of another key.
      const check = signature && { alg, key: jwk, data, signature, refuse: "invalid_token" as const };
      if (check === undefined || !holds(check)) throw wrong(`signed with another key than ${kid}`);
      return check.signature;
    },
  };
}

/** A message as it is while it is short enough; else its digest, which pure Ed25519 (RFC 8032 §5.1) has no form of. */
function ecdsa(data: Uint8Array) {
  const SigningAlgorithm = "ECDSA_SHA_256";
  if (data.length <= rawBytesMax) return { ...raw(data), SigningAlgorithm };
  const digest = createHash("sha256").update(data).digest("base64");
  return { Message: digest, MessageType: "DIGEST", SigningAlgorithm };
}

function ed25519(data: Uint8Array) {
  if (data.length > rawBytesMax) throw wrong(`signs no more than ${rawBytesMax} bytes with Ed25519`);
  return { ...raw(data), SigningAlgorithm: "ED25519_SHA_512" };
}

const raw = (data: Uint8Array) => ({ Message: Buffer.from(data).toString("base64"), MessageType: "RAW" });
