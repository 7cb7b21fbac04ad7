import { base64, base64url, concatBytes, equalBytes, type Sha256, utf8 } from "../encoding/index.ts";
import type { PublicJwk, Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** What a log's signed tree head says: C2SP tlog-checkpoint. */
export type TreeCheckpoint = { readonly origin: string; readonly size: number; readonly root: Uint8Array };

/** The text that is signed, with its last newline and without the blank line behind it. */
export const checkpointText = ({ origin, size, root }: TreeCheckpoint): string =>
  `${origin}\n${size}\n${base64.encode(root)}\n`;

/** C2SP signed-note: the key id and the signature, under the key name, which is the log's origin. */
export type NoteKey = { readonly name: string; readonly jwk: PublicJwk };

const ed25519 = Uint8Array.of(1);

/** The first four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ key); undefined for a key that signs no notes of ours. */
export function noteKeyId(sha256: Sha256, { name, jwk }: NoteKey): Uint8Array | undefined {
  const key = rawKey(jwk);
  return key && sha256(concatBytes(utf8(`${name}\n`), ed25519, key)).slice(0, 4);
}

/** The key as verifiers of notes take it: `<name>+<hex key id>+<base64(0x01 ‖ key)>`. */
export function noteVerifierKey(sha256: Sha256, key: NoteKey): string | undefined {
  const [raw, id] = [rawKey(key.jwk), noteKeyId(sha256, key)];
  if (raw === undefined || id === undefined) return undefined;
  const hex = [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${key.name}+${hex}+${base64.encode(concatBytes(ed25519, raw))}`;
}

export const signedNote = (text: string, name: string, idAndSignature: Uint8Array): string =>
  `${text}\n— ${name} ${base64.encode(idAndSignature)}\n`;

/** A note taken apart, nothing of it verified. */
export type Note = {
  readonly text: string;
  readonly signatures: readonly {
    readonly name: string;
    readonly id: Uint8Array;
    readonly signature: Uint8Array;
  }[];
};

const signaturesMax = 16;

export function parseNote(note: string): Note | undefined {
  const at = note.lastIndexOf("\n\n");
  const lines = note.slice(at + 2).split("\n");
  if (at < 0 || lines.pop() !== "" || lines.length === 0 || lines.length > signaturesMax) return undefined;
  const signatures = lines.map(signatureOf);
  return signatures.every((one) => one !== undefined)
    ? { text: note.slice(0, at + 1), signatures }
    : undefined;
}

function signatureOf(line: string): Note["signatures"][number] | undefined {
  const [, name = "", text = ""] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? [];
  const bytes = base64.decode(text);
  if (bytes === undefined || bytes.length < 5) return undefined;
  return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) };
}

export function parseCheckpointText(text: string): TreeCheckpoint | undefined {
  const [origin = "", size = "", root = "", ...rest] = text.split("\n");
  const hash = base64.decode(root);
  if (origin === "" || !/^(?:0|[1-9]\d{0,15})$/.test(size) || hash?.length !== 32 || rest.at(-1) !== "")
    return undefined;
  return Number.isSafeInteger(Number(size)) ? { origin, size: Number(size), root: hash } : undefined;
}

/** A log's checkpoint, signed by one of its keys. Throws `audit_checkpoint_invalid`. */
export function examineTreeCheckpoint(
  sha256: Sha256,
  note: string,
  { origin, keys }: { readonly origin: string; readonly keys: readonly PublicJwk[] },
): Unproven<TreeCheckpoint> {
  const refuse = "audit_checkpoint_invalid";
  const parsed = parseNote(note);
  const value = parsed && parseCheckpointText(parsed.text);
  if (parsed === undefined || value === undefined)
    throw new Problem(refuse, { detail: "The checkpoint is no signed note." });
  if (value.origin !== origin) throw new Problem(refuse, { detail: "The checkpoint is another log's." });
  // Signatures by keys that nobody here knows are passed over: the note's own rule.
  const checks = parsed.signatures.flatMap(({ name, id, signature }) => {
    const key = keys.find((jwk) => name === origin && isId(id, noteKeyId(sha256, { name, jwk })));
    return key === undefined
      ? []
      : [{ alg: "EdDSA" as const, key, data: utf8(parsed.text), signature, refuse } as const];
  });
  if (checks.length === 0)
    throw new Problem(refuse, { detail: "The checkpoint's key is not one of the issuer's." });
  return { checks, value };
}

const isId = (id: Uint8Array, known: Uint8Array | undefined): boolean =>
  known !== undefined && equalBytes(id, known);

function rawKey(jwk: PublicJwk): Uint8Array | undefined {
  return jwk.kty === "OKP" && jwk.crv === "Ed25519" ? base64url.decode(jwk.x) : undefined;
}
