import { InvariantViolation } from "@remit/kernel";
import { holds } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import type { KekSource, NewKey, SignerEngine, StoredKey } from "../src/keys/index.ts";

const data = new TextEncoder().encode("what is signed");

const storedOf = ({ jwk, kept }: NewKey, alg: "ES256" | "EdDSA", purpose: string): StoredKey => ({
  purpose,
  kid: jwk.kid,
  alg,
  public_jwk: jwk,
  wrapped: "wrapped" in kept ? kept.wrapped : null,
  kek: "wrapped" in kept ? kept.kek : null,
  reference: "wrapped" in kept ? null : kept.reference,
});

/** What every place of private keys must do. */
export function describeSigners(name: string, engineOf: () => SignerEngine): void {
  describe(`the signers of ${name}`, () => {
    test.each(["ES256", "EdDSA"] as const)(
      "%s signatures verify as JWS has them, with the public half that is shown",
      async (alg) => {
        const purpose = `p-${alg}`;
        const made = await engineOf().create({ purpose, alg });
        const signature = await (await engineOf().open(storedOf(made, alg, purpose))).sign(data);
        expect(signature).toHaveLength(64);
        const check = { alg, data, signature, refuse: "invalid_token" as const };
        expect(holds({ ...check, key: made.jwk })).toBe(true);
        const other = await engineOf().create({ purpose, alg });
        expect(other.jwk.kid).not.toBe(made.jwk.kid);
        expect(holds({ ...check, key: other.jwk })).toBe(false);
        // The former one signs on, as a retired key does.
        const again = await (await engineOf().open(storedOf(made, alg, purpose))).sign(data);
        expect(holds({ ...check, signature: again, key: made.jwk })).toBe(true);
      },
    );

    test("what is made shows nothing private: not in its key, not in what the database keeps of it", async () => {
      const made = await engineOf().create({ purpose: "private", alg: "ES256" });
      expect(Object.keys(made.jwk).toSorted()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
      expect(JSON.stringify(made)).not.toMatch(/"d"|PRIVATE/);
    });

    test("a key that is not the one it is said to be signs nothing", async () => {
      const made = await engineOf().create({ purpose: "swapped", alg: "ES256" });
      const other = await engineOf().create({ purpose: "swapped", alg: "ES256" });
      const swapped = {
        ...storedOf(made, "ES256", "swapped"),
        ...storedOf(other, "ES256", "swapped"),
        kid: made.jwk.kid,
        public_jwk: made.jwk,
      };
      const signing = Promise.resolve(engineOf().open(swapped)).then((signer) => signer.sign(data));
      await expect(signing).rejects.toSatisfy(
        (error) => error instanceof InvariantViolation || Object(error).status === 503,
      );
    });
  });
}

/** What every place of key-encryption keys must do. */
export function describeKeks(name: string, sourceOf: () => KekSource): void {
  describe(`the key-encryption keys of ${name}`, () => {
    const plaintext = new TextEncoder().encode("a data key");

    test("what is wrapped is unwrapped by the same key in the same place alone", async () => {
      const key = await sourceOf().first();
      const wrapped = await key.wrap({ plaintext, aad: "row 1" });
      expect(Buffer.from(wrapped).includes(Buffer.from(plaintext))).toBe(false);
      expect(await key.unwrap({ wrapped, aad: "row 1" })).toEqual(plaintext);
      await expect(key.unwrap({ wrapped, aad: "row 2" })).rejects.toThrow();
      const changed = wrapped.with(wrapped.length - 3, (wrapped.at(-3) ?? 0) ^ 1);
      await expect(key.unwrap({ wrapped: changed, aad: "row 1" })).rejects.toThrow();
    });

    test("it is found again by its id, which reveals nothing, and no other id finds it", async () => {
      const key = await sourceOf().first();
      const wrapped = await key.wrap({ plaintext, aad: "a" });
      expect(await (await sourceOf().find(key.id))?.unwrap({ wrapped, aad: "a" })).toEqual(plaintext);
      expect(await sourceOf().find("another")).toBeUndefined();
    });

    test("K06 the next key is another one, the same however often it is asked for; settled, the former opens nothing", async () => {
      const key = await sourceOf().first();
      const wrapped = await key.wrap({ plaintext, aad: "a" });
      const next = await sourceOf().next(key.id);
      expect(next.id).not.toBe(key.id);
      expect((await sourceOf().next(key.id)).id).toBe(next.id);
      const rewrapped = await next.wrap({ plaintext: await key.unwrap({ wrapped, aad: "a" }), aad: "a" });
      await sourceOf().settle(next.id, key.id);
      const found = await sourceOf().find(next.id);
      expect(await found?.unwrap({ wrapped: rewrapped, aad: "a" })).toEqual(plaintext);
      const former = await sourceOf().find(key.id);
      await expect(
        Promise.resolve(former?.unwrap({ wrapped, aad: "a" }) ?? Promise.reject(new Error("gone"))),
      ).rejects.toThrow();
    });
  });
}
