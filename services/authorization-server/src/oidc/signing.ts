import { createPublicKey, type KeyObject } from "node:crypto";
import type { IssuerKeys } from "../keys/index.ts";
import { ExternalSigningKey } from "./seam.ts";

/** The purposes that the core signs for, in the order in which it looks: the first of an alg is its default (ID tokens). */
export const signedByCore = ["id", "access", "access-eddsa"] as const;

/** One key as the core sees it: it learns the public half and asks for signatures. The private half stays in `keys`. */
class HeldKey extends ExternalSigningKey {
  readonly #keys: IssuerKeys;
  readonly #public: KeyObject;

  constructor(keys: IssuerKeys, purpose: string) {
    super();
    const { kid, alg, jwk } = keys.currentKey(purpose);
    this.kid = kid;
    this.alg = alg;
    this.#keys = keys;
    this.#public = createPublicKey({ key: { ...jwk }, format: "jwk" });
  }

  override keyObject(): KeyObject {
    return this.#public;
  }

  override sign(data: Uint8Array): Uint8Array {
    return this.#keys.signBytes(this.kid, data);
  }
}

export const heldKeys = (keys: IssuerKeys): ExternalSigningKey[] =>
  signedByCore.map((purpose) => new HeldKey(keys, purpose));

/** Changes when another key starts to sign: the core must then be built anew (it cannot swap keys). */
export const keysInUse = (keys: IssuerKeys): string =>
  signedByCore.map((purpose) => keys.currentKey(purpose).kid).join(" ");
