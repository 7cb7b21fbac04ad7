import { type Clock, type Id, invariant, toNumericDate } from "@remit/kernel";
import type { Keyring, SigningKeys } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import {
  type ArchiveFiles,
  evidenceFiles,
  makeManifest,
  manifestName,
  Problem,
  packArchive,
} from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { type Stapled, stapledOf } from "../audit/index.ts";
import type { Charge, ChargeSide, Charges } from "../charges/index.ts";
import { openPresented, type Presented } from "../presented/index.ts";
import { proofBody, type Receipts } from "../receipts/index.ts";
import * as rows from "./packs.sql.ts";

export type EvidenceDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly issuer: string;
  readonly keys: Pick<SigningKeys, "sign">;
  readonly keyring: Pick<Keyring, "seal" | "open">;
  readonly charges: Pick<Charges, "whole">;
  readonly receipts: Pick<Receipts, "find">;
  /** The document of the issuer's evidence keys. */
  readonly publishedKeys: () => object;
};

const scopeOf = (tx: TenantTx): string => `evidence:${tx.tenant}`;
const aadOf = (charge: Id<"charge">): string => `evidence_packs.${charge}`;

/**
 * The evidence of a captured charge as one signed archive, for its payer or its payee; each has the proof from its own audit log.
 * Packed once: asked for again, it is the same bytes. Undefined when the charge is not that side's.
 */
export async function evidenceOf(
  deps: EvidenceDeps,
  side: ChargeSide,
  id: Id<"charge">,
): Promise<Uint8Array | undefined> {
  const charge = await deps.charges.whole(side, id);
  if (charge === undefined) return undefined;
  const own = deps.db.of(side.tenant);
  const before = await own.transaction((tx) => openPack(deps, tx, id));
  if (before !== undefined) return before;
  const packed = await pack(deps, side.tenant, charge);
  return own.transaction(async (tx) => {
    const now = deps.clock.now();
    const sealed = await deps.keyring.seal(tx, scopeOf(tx), { plaintext: packed, aad: aadOf(id) });
    await rows.insertPack(tx, { charge: id, sealed, now });
    // Whoever packed it in the same moment may have been first.
    return (await openPack(deps, tx, id)) ?? packed;
  });
}

async function openPack(
  { keyring }: EvidenceDeps,
  tx: TenantTx,
  id: Id<"charge">,
): Promise<Uint8Array | undefined> {
  const sealed = await rows.findPack(tx, id);
  return sealed && keyring.open(tx, scopeOf(tx), { sealed, aad: aadOf(id) });
}

async function pack(deps: EvidenceDeps, tenant: Id<"tenant">, charge: Charge): Promise<Uint8Array> {
  const { issuer, keys, clock } = deps;
  const files = filesOf(await collect(deps, tenant, charge));
  const { livemode, id } = charge;
  const unsigned = makeManifest({
    issuer,
    charge: id,
    tenant,
    livemode,
    files,
    digest: sha256b64url,
    now: clock.now(),
  });
  const manifest = unsigned.finish(await keys.sign("receipt", unsigned.header, unsigned.payload));
  return packArchive({ ...files, [manifestName]: bytesOf(manifest) });
}

type Collected = {
  readonly charge: Charge;
  readonly presented: Presented;
  readonly receipt: string;
  readonly proof: Stapled;
  readonly keys: object;
};

async function collect(deps: EvidenceDeps, tenant: Id<"tenant">, charge: Charge): Promise<Collected> {
  const { id, payer } = charge;
  const now = deps.clock.now();
  const presented = await deps.db.of(payer).transaction((tx) => openPresented(deps, tx, { charge: id, now }));
  if (charge.receipt === undefined || presented === undefined) throw new Problem("evidence_incomplete");
  if (presented === "live") throw notReady("60");
  const receipt = await deps.receipts.find(tenant, charge.receipt);
  invariant(receipt !== undefined, "a captured charge has its receipt on both sides");
  const proof = await stapledOf(deps, tenant, { type: "charge.captured", subject: id });
  if (proof === undefined) throw notReady("5");
  return { charge, presented, receipt: receipt.jwt, proof, keys: deps.publishedKeys() };
}

const notReady = (seconds: string): Problem =>
  new Problem("evidence_not_ready", { headers: { "Retry-After": seconds } });

function filesOf({ charge, presented, receipt, proof, keys }: Collected): ArchiveFiles {
  const { amended } = charge;
  const facts = {
    charge: charge.id,
    merchant_origin: charge.merchantOrigin,
    merchant_nonce: presented.merchantNonce,
    offer_key: charge.offer.key,
    token_key: presented.tokenKey,
    ...(amended === undefined
      ? {}
      : { amended_offer_key: amended.key, amended_at: toNumericDate(amended.at) }),
  };
  return {
    [evidenceFiles.facts]: jsonBytes(facts),
    [evidenceFiles.offer]: bytesOf(charge.offer.evidence),
    ...(amended === undefined ? {} : { [evidenceFiles.amended]: bytesOf(amended.evidence) }),
    [evidenceFiles.presentation]: bytesOf(presented.presentation),
    [evidenceFiles.token]: bytesOf(presented.accessToken),
    [evidenceFiles.receipt]: bytesOf(receipt),
    [evidenceFiles.proof]: jsonBytes(proofBody(proof)),
    [evidenceFiles.keys]: jsonBytes(keys),
  };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const jsonBytes = (value: object): Uint8Array => bytesOf(`${JSON.stringify(value, null, 2)}\n`);
