import { fromNumericDate, type Instant } from "@remit/kernel";
import { examineAccessToken } from "../access-token/index.ts";
import {
  base64url,
  isJsonObject,
  type Json,
  type JsonObject,
  parseJson,
  type Sha256,
  utf8,
} from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import { type PublicJwk, parsePublicJwk, type Unproven } from "../jose/index.ts";
import { examineMandateParts } from "../mandate/index.ts";
import { Members } from "../members.ts";
import {
  addsOnlyTaxOrShipping,
  examineOffer,
  examineOfferResponse,
  type Offer,
  offerDigestOf,
} from "../offer/index.ts";
import { examinePresentation, type PresentationInput } from "../presentation/index.ts";
import { type EvidenceKey, examineReceipt, type Receipt } from "../receipt/index.ts";
import { splitSdJwt } from "../sd-jwt/index.ts";
import { examineTreeCheckpoint, isIncluded } from "../tlog/index.ts";
import type { ArchiveFiles } from "./archive.ts";
import { evidenceInvalid, examineManifest, peekManifest, textOf } from "./manifest.ts";

/** What an evidence pack holds beside its manifest. */
export const evidenceFiles = {
  /** The merchant's nonce, and the keys that the issuer had found for offer and token when it decided. */
  facts: "facts.json",
  /** The offer as it was verified: a compact JWS, or the signed response as JSON. */
  offer: "offer.txt",
  /** Mandate, disclosures and key binding, as the merchant sent them. */
  /** The merchant's later offer for the same goods, where tax or shipping was added. */
  amended: "amended-offer.jws",
  presentation: "presentation.txt",
  token: "access-token.jwt",
  receipt: "receipt.jws",
  /** The entry of the capture in the audit log, its inclusion proof and the signed checkpoint above it. */
  proof: "audit-proof.json",
  /** The issuer's evidence keys as it published them: for reading. Whoever verifies uses keys they trust already. */
  keys: "keys.json",
} as const;

export type EvidenceTrust = {
  readonly issuer: string;
  readonly keys: readonly EvidenceKey[];
  readonly sha256: Sha256;
};

/** One thing to be shown, and what shows it: the text tells what was found, and counts once the signatures hold. */
export type EvidenceStep = { readonly name: string; readonly examine: () => Unproven<string> };

/**
 * Everything that is checked of an evidence pack, in order, offline: nothing but the files and the trusted keys is used. A step
 * throws the Problem of what does not hold.
 */
export function evidenceSteps(files: ArchiveFiles, trust: EvidenceTrust): readonly EvidenceStep[] {
  const pack = { files, trust };
  return [
    { name: "manifest", examine: () => manifestStep(pack) },
    { name: "receipt", examine: () => receiptStep(pack) },
    { name: "offer", examine: () => offerStep(pack) },
    { name: "mandate", examine: () => mandateStep(pack) },
    { name: "token", examine: () => tokenStep(pack) },
    { name: "presentation", examine: () => presentationStep(pack) },
    { name: "audit", examine: () => auditStep(pack) },
  ];
}

type Pack = { readonly files: ArchiveFiles; readonly trust: EvidenceTrust };

function manifestStep({ files, trust }: Pack): Unproven<string> {
  const { checks, value } = examineManifest(files, trust);
  const count = Object.keys(value.files).length;
  return { checks, value: `${count} files are as ${value.iss} signed them for ${value.charge}` };
}

function receiptStep({ files, trust }: Pack): Unproven<string> {
  const { checks, value: receipt } = receiptIn({ files, trust });
  const manifest = peekManifest(files);
  if (receipt.charge !== manifest.charge || receipt.livemode !== manifest.livemode)
    throw evidenceInvalid("the receipt is of another charge");
  const { amount_minor: amount, currency, merchant } = receipt;
  return { checks, value: `${amount} minor units of ${currency} were captured for ${merchant.origin}` };
}

function offerStep(pack: Pack): Unproven<string> {
  const { files } = pack;
  const { value: receipt } = receiptIn(pack);
  const { checks: signed, value: presented } = offerIn(pack, receipt);
  if (offerDigestOf(pack.trust.sha256, presented) !== receipt.offer_digest)
    throw evidenceInvalid("the receipt names another offer");
  const later = amendedIn(pack, receipt, presented);
  const offer = later?.value ?? presented;
  const checks = [...signed, ...(later?.checks ?? [])];
  const most = offer.max_amount_minor ?? offer.amount_minor;
  if (offer.currency !== receipt.currency || receipt.amount_minor > most)
    throw evidenceInvalid("more was captured than was offered");
  const price = `${most} minor units of ${offer.currency}`;
  const origin = factsIn(files).text("merchant_origin");
  return { checks, value: `${origin} offered ${offer.name} for ${price}, signed with its key` };
}

/** What was added to the offer since it was presented: nothing but tax and shipping, signed by the same merchant (O13). */
function amendedIn({ files, trust }: Pack, receipt: Receipt, presented: Offer): Unproven<Offer> | undefined {
  const { amended_offer_digest: digest, livemode, merchant } = receipt;
  if ((digest === undefined) !== (files[evidenceFiles.amended] === undefined))
    throw evidenceInvalid("the receipt and the pack do not agree whether the offer was amended");
  if (digest === undefined) return undefined;
  const facts = factsIn(files);
  const offer = examineOffer(textOf(files, evidenceFiles.amended), {
    keys: [keyIn(facts, "amended_offer_key")],
    now: fromNumericDate(facts.integer("amended_at", 0)),
    merchant: merchant.id,
    origin: merchant.origin,
    livemode,
  });
  if (offerDigestOf(trust.sha256, offer.value) !== digest)
    throw evidenceInvalid("the receipt names another amended offer");
  if (!addsOnlyTaxOrShipping(offer.value, presented))
    throw evidenceInvalid("more than tax and shipping was added to the offer");
  return offer;
}

function mandateStep({ files, trust }: Pack): Unproven<string> {
  const { value: receipt } = receiptIn({ files, trust });
  const parts = splitSdJwt(textOf(files, evidenceFiles.presentation));
  if (parts === undefined) throw evidenceInvalid("the presentation is no SD-JWT");
  const { checks, value } = examineMandateParts(
    parts,
    { issuer: trust.issuer, issuerKeys: keysOf(trust, "mandate"), now: heldAt(receipt) },
    digestBy(trust),
  );
  if (value.mandateHash !== receipt.mandate_hash) throw evidenceInvalid("the receipt names another mandate");
  return { checks, value: `the principal's mandate ${value.claims.jti} was signed by ${trust.issuer}` };
}

function tokenStep({ files, trust }: Pack): Unproven<string> {
  const { value: receipt } = receiptIn({ files, trust });
  const { checks, value } = examineAccessToken({
    token: textOf(files, evidenceFiles.token),
    audience: receipt.merchant.origin,
    issuer: trust.issuer,
    keys: [keyIn(factsIn(files), "token_key")],
    now: heldAt(receipt),
  });
  return { checks, value: `${value.client_id} held a token for ${receipt.merchant.origin} then` };
}

function presentationStep(pack: Pack): Unproven<string> {
  const { files, trust } = pack;
  const { value: receipt } = receiptIn(pack);
  const { value: offer } = offerIn(pack, receipt);
  const facts = factsIn(files);
  const input: PresentationInput = {
    presentation: textOf(files, evidenceFiles.presentation),
    accessToken: textOf(files, evidenceFiles.token),
    offerDigest: offerDigestOf(trust.sha256, offer),
    merchantOrigin: receipt.merchant.origin,
    merchantNonce: facts.text("merchant_nonce"),
    issuer: trust.issuer,
    issuerKeys: keysOf(trust, "mandate"),
    tokenKeys: [keyIn(facts, "token_key")],
    livemode: receipt.livemode,
    now: heldAt(receipt),
  };
  const { checks, value } = examinePresentation(input, digestBy(trust));
  if (value.presentationHash !== receipt.presentation_hash)
    throw evidenceInvalid("the receipt names another presentation");
  return { checks, value: `the agent signed this offer, this nonce and its token with the mandate's key` };
}

/** RFC 9162 §2.1.3.2, under a checkpoint as C2SP tlog-checkpoint has it. */
function auditStep({ files, trust }: Pack): Unproven<string> {
  const { sha256, issuer } = trust;
  const { value: receipt } = receiptIn({ files, trust });
  const { tenant } = peekManifest(files);
  const proof = Members.of(jsonIn(files, evidenceFiles.proof), "evidence_invalid", "audit-proof");
  const { entry_hash: entryHash, ...entry } = proof.object("entry");
  const preimage = canonicalise(entry);
  if (entryHash !== base64url.encode(sha256(preimage)))
    throw evidenceInvalid("the audit entry is not what its hash says");
  const payload = Members.of(entry, "evidence_invalid", "entry").members("payload");
  const isOfCapture = entry["event"] === "charge.captured" && entry["subject"] === receipt.charge;
  if (!isOfCapture || entry["tenant_id"] !== tenant || payload.get("receipt_leaf") !== receipt.leaf_digest)
    throw evidenceInvalid("the audit entry is about something else");
  const origin = `${new URL(issuer).host}/audit/${tenant}`;
  const note = proof.text("checkpoint", { max: 16_384 });
  const { checks, value: signed } = examineTreeCheckpoint(sha256, note, {
    origin,
    keys: keysOf(trust, "audit"),
  });
  const hashes = proof.list("hashes", 64).map((hash) => bytesOf(hash));
  const index = proof.integer("leaf_index", 0);
  const leaf = sha256(`\u0000${preimage}`);
  if (!isIncluded(sha256, { index, size: signed.size, leaf, root: signed.root, hashes }))
    throw evidenceInvalid("the audit entry does not stand in the signed tree");
  return { checks, value: `entry ${index + 1} of ${signed.size} in the log ${origin} is this capture` };
}

const receiptIn = ({ files, trust }: Pack): Unproven<Receipt> =>
  examineReceipt(textOf(files, evidenceFiles.receipt), trust);

function offerIn({ files, trust }: Pack, receipt: Receipt): Unproven<Offer> {
  const text = textOf(files, evidenceFiles.offer);
  const { id: merchant, origin } = receipt.merchant;
  const { livemode } = receipt;
  const keys = [keyIn(factsIn(files), "offer_key")];
  const expected = { keys, now: heldAt(receipt), merchant, origin, livemode };
  if (!text.startsWith("{")) return examineOffer(text, expected);
  const served = Members.of(parseJson(utf8(text)), "evidence_invalid", "offer");
  const request = served.members("request");
  const body = base64url.decode(served.text("body", { max: 65_536 }));
  if (body === undefined) throw evidenceInvalid("the offer's body is no base64url");
  const sent = served.members("headers");
  const headers = Object.keys(served.object("headers")).map(
    (name) => [name, sent.text(name, { max: 8192 })] as const,
  );
  const response = {
    request: { method: request.text("method"), targetUri: request.text("target_uri") },
    status: served.integer("status", 100, 599),
    headers,
    body,
  };
  const { checks, value } = examineOfferResponse(response, { ...expected, sha256: trust.sha256 });
  return { checks, value: value.offer };
}

/** When the issuer decided: everything is judged as of then. */
const heldAt = (receipt: Receipt): Instant => fromNumericDate(receipt.held_at);

const keysOf = ({ keys }: EvidenceTrust, purpose: string): PublicJwk[] =>
  keys.filter((key) => key.purpose === purpose).map(({ jwk }) => jwk);

const digestBy =
  ({ sha256 }: EvidenceTrust) =>
  (data: Uint8Array | string): string =>
    base64url.encode(sha256(data));

const factsIn = (files: ArchiveFiles): Members =>
  Members.of(jsonIn(files, evidenceFiles.facts), "evidence_invalid", "facts");

const jsonIn = (files: ArchiveFiles, name: string): JsonObject => {
  const json = parseJson(utf8(textOf(files, name)));
  if (!isJsonObject(json)) throw evidenceInvalid(`${name} is no JSON object`);
  return json;
};

function keyIn(facts: Members, name: string): PublicJwk {
  const key = parsePublicJwk(facts.object(name));
  if (key === undefined) throw evidenceInvalid(`${name} is no key`);
  return key;
}

function bytesOf(hash: Json): Uint8Array {
  const bytes = typeof hash === "string" ? base64url.decode(hash) : undefined;
  if (bytes?.length !== 32) throw evidenceInvalid("a hash of the proof is none");
  return bytes;
}
