import { createPublicKey } from "node:crypto";
import { invariant } from "@remit/kernel";
import {
  isJsonObject,
  type JsonObject,
  Problem,
  type PublicJwk,
  parsePublicJwk,
  type SigningAlg,
} from "@remit/protocol";
import { holds, thumbprint } from "@remit/protocol/node";
import type { NewKey, Signer, SignerEngine, StoredKey } from "../keys/index.ts";
import { rawOfDer } from "./der.ts";
import type { Vault } from "./vault.ts";

export type VaultSignersOptions = {
  readonly vault: Vault;
  /** Where the transit engine is mounted, such as `transit`. */
  readonly mount: string;
  /** Begins the names of the keys: `remit-` gives `remit-access`, one key per purpose, a version per rotation. */
  readonly prefix: string;
};

const typeOf = { ES256: "ecdsa-p256", EdDSA: "ed25519" } as const;

/** Private keys in the transit engine of Vault or OpenBao: they are made there, sign there, and never leave it. */
export function vaultSigners({ vault, mount, prefix }: VaultSignersOptions): SignerEngine {
  return {
    name: "vault",
    async create({ purpose, alg }) {
      const path = `${mount}/keys/${prefix}${purpose}`;
      const known = await vault.call("GET", path);
      if (known === undefined) await vault.call("POST", path, { type: typeOf[alg], exportable: false });
      else await vault.call("POST", `${path}/rotate`, {});
      const key = await vault.call("GET", path);
      return newKey(key, { alg, name: `${mount}/${prefix}${purpose}` });
    },
    open: async (key) => signerOf(vault, key),
  };
}

/** The newest version, which may be one that another process has just made: then both name the same key. */
function newKey(key: JsonObject | undefined, { alg, name }: { alg: SigningAlg; name: string }): NewKey {
  const version = key?.["latest_version"];
  const versions = key?.["keys"];
  const shown = isJsonObject(versions) && typeof version === "number" ? versions[String(version)] : undefined;
  const text = isJsonObject(shown) ? shown["public_key"] : undefined;
  if (key?.["type"] !== typeOf[alg] || typeof text !== "string" || typeof version !== "number")
    throw new Problem("unavailable", { private: { because: `${name} in Vault is no ${typeOf[alg]} key` } });
  const jwk = publicJwk(text, alg);
  const kid = thumbprint(jwk);
  return { jwk: { ...jwk, alg, kid, use: "sig" }, kept: { reference: `${name}#${version}` } };
}

/** Vault shows ECDSA keys as PEM, Ed25519 keys as base64 of their 32 bytes. */
function publicJwk(text: string, alg: SigningAlg): PublicJwk {
  const value: unknown =
    alg === "ES256"
      ? createPublicKey(text).export({ format: "jwk" })
      : { kty: "OKP", crv: "Ed25519", x: Buffer.from(text, "base64").toString("base64url") };
  const jwk = parsePublicJwk(value);
  invariant(jwk !== undefined, "Vault shows a public key of the type it was asked for");
  return jwk;
}

function signerOf(vault: Vault, { alg, kid, public_jwk: jwk, reference }: StoredKey): Signer {
  const [, mount, name, version] = /^(.+)\/([^/#]+)#(\d+)$/.exec(reference ?? "") ?? [];
  invariant(
    mount !== undefined && name !== undefined,
    "a key in Vault is named by its mount, name and version",
  );
  const path = `${mount}/sign/${name}${alg === "ES256" ? "/sha2-256" : ""}`;
  return {
    async sign(data) {
      const answer = await vault.call("POST", path, {
        input: Buffer.from(data).toString("base64"),
        key_version: Number(version),
        ...(alg === "ES256" ? { marshaling_algorithm: "jws" } : {}),
      });
      const signature = signatureIn(answer?.["signature"], { alg, version: version ?? "" });
      // What does not verify must not leave: it would be refused everywhere, or be of another key.
      const check = signature && { alg, key: jwk, data, signature, refuse: "invalid_token" as const };
      if (check === undefined || !holds(check))
        throw new Problem("unavailable", { private: { because: `Vault's signature is not of ${kid}` } });
      return check.signature;
    },
  };
}

/** `vault:v3:` and the signature: r ‖ s in base64url when it does as asked, DER in base64 from older servers. */
function signatureIn(text: unknown, of: { alg: SigningAlg; version: string }): Uint8Array | undefined {
  const [, version, encoded = ""] =
    /^vault:v(\d+):([A-Za-z0-9+/=_-]+)$/.exec(typeof text === "string" ? text : "") ?? [];
  if (version !== of.version) return undefined;
  const bytes = new Uint8Array(Buffer.from(encoded, "base64"));
  return of.alg === "ES256" && bytes.length !== 64 ? rawOfDer(bytes) : bytes;
}
