import { type Id, type Instant, secondMs } from "@remit/kernel";
import type { Outbound, OutboundAnswer } from "@remit/platform/outbound";
import { cataloguePath, type HeaderPair, isJsonObject, Problem, readJson } from "@remit/protocol";
import { MerchantProof, merchantJwksPath, merchantProofPath } from "@remit/protocol/contracts";
import { verifyCatalogue } from "@remit/protocol/node";
import { type Jwks, readMerchantKeys } from "./keys.ts";

export type ProofOfOrigin = {
  readonly id: Id<"merchant">;
  readonly origin: string;
  readonly clientId: string;
};

const timeoutMs = 3 * secondMs;
const jwksBytesMax = 256 * 1024;
const proofBytesMax = 16 * 1024;
const catalogueBytesMax = 4 * 1024 * 1024;

/**
 * Fetches what the merchant's origin says of itself through the SSRF guard: keys, which must be there, a document that
 * must name this merchant, and a catalogue, which must not name somebody else. Each failure has its own code.
 */
export async function fetchProof(outbound: Outbound, merchant: ProofOfOrigin, now: Instant): Promise<Jwks> {
  const jwks = await fetchJwks(outbound, merchant);
  await checkNamed(outbound, merchant);
  await checkCatalogue(outbound, { merchant, jwks, now });
  return jwks;
}

/** The keys that an origin serves now, whoever it says that they are of. */
export async function fetchJwks(
  outbound: Outbound,
  { origin }: Pick<ProofOfOrigin, "origin">,
): Promise<Jwks> {
  return readMerchantKeys((await fetchKeys(outbound, origin + merchantJwksPath)).body);
}

async function fetchKeys(outbound: Outbound, url: string): Promise<OutboundAnswer> {
  const answer = await outbound
    .request({ url, timeoutMs, bodyBytesMax: jwksBytesMax, headers: { accept: "application/json" } })
    .catch((cause: unknown) => {
      const detail = cause instanceof Problem ? (cause.detail ?? cause.code) : undefined;
      throw new Problem("merchant_jwks_unreachable", { cause, ...(detail === undefined ? {} : { detail }) });
    });
  if (answer.status !== 200)
    throw new Problem("merchant_jwks_unreachable", { detail: `jwks_uri answers ${answer.status}.` });
  return answer;
}

/**
 * G06: that keys are served proves nothing about who registered. Only the origin itself can say which merchant, by which
 * client, may speak for it.
 */
async function checkNamed(outbound: Outbound, { id, origin, clientId }: ProofOfOrigin): Promise<void> {
  const answer = await outbound
    .request({
      url: origin + merchantProofPath,
      timeoutMs,
      bodyBytesMax: proofBytesMax,
      headers: { accept: "application/json" },
    })
    .catch((cause: unknown) => {
      throw new Problem("merchant_proof_missing", {
        cause,
        detail: `${merchantProofPath} cannot be fetched.`,
      });
    });
  if (answer.status !== 200)
    throw new Problem("merchant_proof_missing", { detail: `${merchantProofPath} answers ${answer.status}.` });
  const read = readJson(answer.body, proofBytesMax);
  const proof = MerchantProof.safeParse("value" in read ? read.value : undefined);
  if (!proof.success)
    throw new Problem("merchant_proof_missing", { detail: `${merchantProofPath} is not as it must be.` });
  if (!proof.data.merchants.some((named) => named.id === id && named.client_id === clientId))
    throw new Problem("merchant_proof_missing", {
      detail: `${merchantProofPath} does not name this merchant.`,
    });
}

/**
 * G06: whoever has the keys says in the catalogue which merchant this is, so a stranger who registers the origin first is
 * found out. A missing catalogue proves nothing either way.
 */
async function checkCatalogue(
  outbound: Outbound,
  { merchant, jwks, now }: { merchant: ProofOfOrigin; jwks: Jwks; now: Instant },
): Promise<void> {
  const targetUri = merchant.origin + cataloguePath;
  const answer = await outbound
    .request({
      url: targetUri,
      timeoutMs,
      bodyBytesMax: catalogueBytesMax,
      headers: { accept: "application/json" },
    })
    .catch(() => undefined);
  if (answer?.status !== 200) return;
  const named = merchantNamedIn(answer.body);
  if (named === undefined || named === merchant.id) return;
  const headers: HeaderPair[] = Object.entries(answer.headers);
  const request = { method: "GET", targetUri };
  // Only the signature makes it the origin's word; an unsigned or broken catalogue names nobody.
  const signed = isSigned(() =>
    verifyCatalogue(
      { request, status: 200, headers, body: answer.body },
      { keys: jwks.keys, now, origin: merchant.origin },
    ),
  );
  if (signed) throw new Problem("merchant_catalogue_mismatch", { extra: { named } });
}

function merchantNamedIn(body: Uint8Array): unknown {
  const read = readJson(body, catalogueBytesMax);
  return "value" in read && isJsonObject(read.value) ? read.value["merchant"] : undefined;
}

function isSigned(verify: () => unknown): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}
