import { expect, test } from "vitest";
import { publicJwkOf, type SignatureCheck, type SigningAlg } from "../jose/index.ts";
import { settleAgain } from "./known-signatures.ts";
import { generateJwk, signatureOf } from "./signatures.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function signed(alg: SigningAlg): SignatureCheck {
  const key = generateJwk(alg);
  const data = bytes("pay 5 to the shop");
  return {
    alg,
    key: publicJwkOf(key),
    data,
    signature: signatureOf(key, data),
    refuse: "offer_signature_invalid",
  };
}

const settled = (...checks: readonly SignatureCheck[]): string =>
  settleAgain({ checks, value: "what they prove" });

test.each(["ES256", "EdDSA"] as const)("%s that held once holds again, and nothing near it does", (alg) => {
  const good = signed(alg);
  const [flipped = 0, ...rest] = good.signature;
  const bent: readonly SignatureCheck[] = [
    { ...good, data: bytes("pay 6 to the shop") },
    { ...good, data: bytes("pay 5 to the shop ") },
    { ...good, signature: Uint8Array.of(flipped ^ 1, ...rest) },
    { ...good, signature: good.signature.slice(1) },
    // The same bytes, divided elsewhere.
    {
      ...good,
      signature: Uint8Array.of(...good.signature, ...good.data.slice(0, 1)),
      data: good.data.slice(1),
    },
    { ...good, key: signed(alg).key },
    { ...good, alg: alg === "ES256" ? "EdDSA" : "ES256" },
  ];
  for (let times = 0; times < 3; times++) {
    for (const one of bent) expect(() => settled(one)).toThrow("offer_signature_invalid");
    expect(settled(good)).toBe("what they prove");
    expect(() => settled(good, ...bent.slice(0, 1))).toThrow("offer_signature_invalid");
  }
});
