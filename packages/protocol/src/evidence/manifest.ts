import { fromNumericDate, type Id, type Instant, toNumericDate } from "@remit/kernel";
import { base64url, type Digest, type JsonObject, type Sha256 } from "../encoding/index.ts";
import { checkOf, parseJws, payloadOf, type Unproven, type Unsigned } from "../jose/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";
import { type EvidenceKey, evidenceKeyAt } from "../receipt/index.ts";
import type { ArchiveFiles } from "./archive.ts";

/** The JWS type of an evidence pack's manifest. */
export const evidenceTyp = "remit-evidence+jwt";

/** The file that holds the signature over all others. */
export const manifestName = "manifest.jws";

/** What the issuer signs: which files belong to the evidence of a charge, each by base64url(SHA-256(its bytes)). */
export type EvidenceManifest = {
  readonly iss: string;
  /** NumericDate. */
  readonly iat: number;
  readonly charge: Id<"charge">;
  /** In whose audit log the charge is proven: the payer's or the payee's. */
  readonly tenant: Id<"tenant">;
  readonly livemode: boolean;
  readonly files: Readonly<Record<string, string>>;
};

export function makeManifest(input: {
  readonly issuer: string;
  readonly charge: Id<"charge">;
  readonly tenant: Id<"tenant">;
  readonly livemode: boolean;
  readonly files: ArchiveFiles;
  readonly digest: Digest;
  readonly now: Instant;
}): Unsigned<string> {
  const { issuer: iss, charge, tenant, livemode, files, digest, now } = input;
  const digests = Object.fromEntries(
    Object.entries(files)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, content]) => [name, digest(content)]),
  );
  const payload = { iss, iat: toNumericDate(now), charge, tenant, livemode, files: digests };
  return { header: { typ: evidenceTyp }, payload, finish: (jws) => jws };
}

/** What a pack says of itself; nothing of it is verified. Throws `evidence_invalid`. */
export function peekManifest(files: ArchiveFiles): EvidenceManifest {
  const payload = payloadOf(textOf(files, manifestName));
  if (payload === undefined) throw evidenceInvalid("its manifest cannot be read");
  return manifestOf(payload);
}

/** The manifest, signed by a key of the issuer for receipts that was in force, and true of every file beside it. */
export function examineManifest(
  files: ArchiveFiles,
  expected: { readonly issuer: string; readonly keys: readonly EvidenceKey[]; readonly sha256: Sha256 },
): Unproven<EvidenceManifest> {
  const refuse = "evidence_invalid";
  const parsed = parseJws(textOf(files, manifestName), {
    typ: [evidenceTyp],
    algs: ["ES256", "EdDSA"],
    refuse,
  });
  const manifest = manifestOf(parsed.payload);
  if (manifest.iss !== expected.issuer) throw evidenceInvalid("it is of another issuer");
  const { [manifestName]: _, ...rest } = files;
  const [named, present] = [Object.keys(manifest.files).toSorted(), Object.keys(rest).toSorted()];
  if (named.join("\n") !== present.join("\n"))
    throw evidenceInvalid("its files are not those of its manifest");
  for (const [name, content] of Object.entries(rest))
    if (manifest.files[name] !== base64url.encode(expected.sha256(content)))
      throw evidenceInvalid(`${name} is not the file that was signed`);
  const key = evidenceKeyAt(
    { keys: expected.keys, purpose: "receipt" },
    parsed.header,
    fromNumericDate(manifest.iat),
  );
  if (key === undefined) throw evidenceInvalid("no key of the issuer was in force for its manifest");
  return { checks: [checkOf(parsed, key, refuse)], value: manifest };
}

const secondsMax = 253_402_300_799;
const digestPattern = /^[\w-]{43}$/;

function manifestOf(payload: JsonObject): EvidenceManifest {
  const manifest = Members.of(payload, "evidence_invalid", "manifest");
  const files = Members.of(manifest.object("files"), "evidence_invalid", "manifest.files");
  return {
    iss: manifest.text("iss"),
    iat: manifest.integer("iat", 0, secondsMax),
    charge: manifest.id("charge", "charge"),
    tenant: manifest.id("tenant", "tenant"),
    livemode: manifest.flag("livemode"),
    files: Object.fromEntries(
      Object.keys(manifest.object("files")).map((name) => [
        name,
        files.text(name, { pattern: digestPattern }),
      ]),
    ),
  };
}

/** A file of a pack as text. Throws `evidence_invalid` when it is missing or is none. */
export function textOf(files: ArchiveFiles, name: string): string {
  const content = Object.hasOwn(files, name) ? files[name] : undefined;
  if (content === undefined) throw evidenceInvalid(`${name} is missing`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw new Problem("evidence_invalid", { detail: `${name} is no text`, cause });
  }
}

export const evidenceInvalid = (why: string): Problem =>
  new Problem("evidence_invalid", { detail: `The evidence does not hold: ${why}.` });
