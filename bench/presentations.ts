import { createHash, createPublicKey, verify } from "node:crypto";
import { createRequire } from "node:module";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { verifyPresentation } from "@remit/protocol/node";
import type { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { makePurchase, partsOf } from "../packages/protocol/test/purchase.ts";
import { type Figures, measure, round } from "./measure.ts";

/**
 * One presentation: the mandate's signature, its disclosures, the key binding. Ours verifies the access token too, so
 * that it does one signature more than the peer; the floor is the bare verification of three signatures.
 */
export async function benchPresentations(seconds: number) {
  const purchase = makePurchase();
  const { input, issuerKey, agentKey } = purchase;
  const { nonce } = partsOf(input.presentation.slice(input.presentation.lastIndexOf("~") + 1)).payload;
  if (typeof nonce !== "string") throw new TypeError("a key binding has a nonce");
  const peer = await peerFor(issuerKey, agentKey);
  const ours: Figures = await measure(() => verifyPresentation(input), { seconds });
  const theirs: Figures = await measure(
    () => peer.verify(input.presentation, { currentDate: input.now / 1000, keyBindingNonce: nonce }),
    { seconds },
  );
  const bytes = Buffer.from(input.presentation.slice(0, 1200));
  const check = signatureCheck(issuerKey);
  const signature = Buffer.from((input.presentation.split("~")[0] ?? "").split(".")[2] ?? "", "base64url");
  const one = await measure(() => check(bytes, signature), { seconds });
  return {
    remit: ours,
    sd_jwt_vc_0_19: theirs,
    raw_verify: one,
    ratio_to_sd_jwt_vc: round(ours.rate / theirs.rate),
    share_of_three_signature_floor: round(ours.rate / (one.rate / 3)),
  };
}

async function peerFor(issuer: PrivateJwk, agent: PrivateJwk): Promise<SDJwtVcInstance> {
  const require = createRequire(new URL("./package.json", import.meta.url));
  const { SDJwtVcInstance: Instance } = (await import(
    require.resolve("@sd-jwt/sd-jwt-vc")
  )) as typeof import("@sd-jwt/sd-jwt-vc");
  const verifier = (key: PrivateJwk) => {
    const check = signatureCheck(key);
    return async (data: string, signature: string) =>
      check(Buffer.from(data), Buffer.from(signature, "base64url"));
  };
  const peer = new Instance({
    hasher: async (data: string | ArrayBuffer) =>
      createHash("sha256")
        .update(typeof data === "string" ? data : Buffer.from(data))
        .digest(),
    verifier: verifier(issuer),
    kbVerifier: verifier(agent),
  });
  // Neither side looks up the status here: it would fetch a list over the network and measure that.
  Reflect.set(peer, "verifyStatus", () => Promise.resolve());
  return peer;
}

function signatureCheck(jwk: PrivateJwk): (data: Uint8Array, signature: Uint8Array) => boolean {
  const key = createPublicKey({ key: { ...publicJwkOf(jwk) }, format: "jwk" });
  return (data, signature) => verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature);
}
