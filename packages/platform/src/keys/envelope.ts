import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";
import { invariant } from "@remit/kernel";

/** A KeyObject where the key is used again and again: node:crypto recognises it sooner than bytes. */
type EnvelopeKey = KeyObject | Uint8Array;

const format = 1;
const ivBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM with a random 96-bit IV: format ‖ iv ‖ ciphertext ‖ tag. `aad` says what this is and where it belongs, so
 * that one ciphertext cannot stand in another's place.
 */
export function encrypt(
  key: EnvelopeKey,
  { plaintext, aad }: { plaintext: Uint8Array; aad: string },
): Uint8Array {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return new Uint8Array(Buffer.concat([Buffer.of(format), iv, body, cipher.getAuthTag()]));
}

/** The plaintext. Another key, another aad or a changed byte is an InvariantViolation: we wrote what we read. */
export function decrypt(key: EnvelopeKey, { sealed, aad }: { sealed: Uint8Array; aad: string }): Uint8Array {
  invariant(sealed.length >= 1 + ivBytes + tagBytes && sealed[0] === format, "a ciphertext has our format");
  const iv = sealed.subarray(1, 1 + ivBytes);
  const body = sealed.subarray(1 + ivBytes, sealed.length - tagBytes);
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes })
    .setAAD(Buffer.from(aad))
    .setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plaintext = decipher.update(body);
  invariant(isWhole(decipher), "a ciphertext is opened with its own key, in its own place");
  return new Uint8Array(plaintext);
}

function isWhole(decipher: { final(): Buffer }): boolean {
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}
