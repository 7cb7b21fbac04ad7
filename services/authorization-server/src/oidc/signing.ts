import { createPublicKey, type KeyObject } from "node:crypto";
import type { PublicJwk } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";
import { ExternalSigningKey } from "./seam.ts";

/** The keys of one core, fixed when it is built. */
export type HeldKeys = {
  readonly all: readonly ExternalSigningKey[];
  /** What access tokens are signed with. */
  readonly accessKid: string;
};

// In the order in which the core looks: the first of an alg is its default (ID tokens).
const signedByCore = ["id", "id-eddsa", "access", "access-eddsa"] as const;

/** One key as the core sees it: it learns the public half and asks for signatures. The private half stays in `keys`. */
class HeldKey extends ExternalSigningKey {
  readonly #keys: IssuerKeys;
  readonly #public: KeyObject;

  constructor(keys: IssuerKeys, jwk: PublicJwk) {
    super();
    this.kid = jwk.kid ?? "";
    this.alg = jwk.kty === "OKP" ? "EdDSA" : "ES256";
    this.#keys = keys;
    this.#public = createPublicKey({ key: { ...jwk }, format: "jwk" });
  }

  override keyObject(): KeyObject {
    return this.#public;
  }

  override async sign(data: Uint8Array): Promise<Uint8Array> {
    return this.#keys.signBytes(this.kid, data);
  }
}

/** The keys that sign now, then those that signed ID tokens before: a hint to log out may be one of those. */
export function heldKeys(keys: IssuerKeys): HeldKeys {
  const signing = signedByCore.map((purpose) => keys.currentKey(purpose).jwk);
  const former = ["id", "id-eddsa"]
    .flatMap((purpose) => keys.publicKeys(purpose))
    .filter(({ state }) => state === "retired");
  return {
    all: [...signing, ...former.map(({ jwk }) => jwk)].map((jwk) => new HeldKey(keys, jwk)),
    accessKid: keys.currentKey("access").kid,
  };
}
