import { invariant } from "@remit/kernel";

// JOSE spells an ECDSA signature as r ‖ s (RFC 7518 §3.4), OpenSSL as SEQUENCE { r INTEGER, s INTEGER } (RFC 3279
// §2.2.3). Asking node:crypto for the first spelling costs more than a P-256 signature: the key then travels inside an
// object of options, and recognising it there means failing at two other kinds of key first, each with an exception.

const numberBytes = 32;
const sequenceTag = 0x30;
const integerTag = 0x02;

/** The DER spelling of r ‖ s over P-256. */
export function derOf(raw: Uint8Array): Uint8Array {
  invariant(raw.length === 2 * numberBytes, "a P-256 signature has 64 bytes");
  const r = startOf(raw, 0);
  const s = startOf(raw, numberBytes);
  const rBytes = numberBytes - r + signOf(raw, r);
  const sBytes = 2 * numberBytes - s + signOf(raw, s);
  const der = new Uint8Array(6 + rBytes + sBytes);
  der[0] = sequenceTag;
  der[1] = 4 + rBytes + sBytes;
  writeInteger(der, 2, raw.subarray(r, numberBytes));
  writeInteger(der, 4 + rBytes, raw.subarray(s));
  return der;
}

/** r ‖ s of a signature that OpenSSL made with a P-256 key. */
export function rawOf(der: Uint8Array): Uint8Array {
  const rBytes = der[3] ?? 0;
  const sAt = 4 + rBytes;
  const sBytes = der[sAt + 1] ?? 0;
  const isSignature =
    der[0] === sequenceTag &&
    der[2] === integerTag &&
    der[sAt] === integerTag &&
    der.length === sAt + 2 + sBytes;
  invariant(
    isSignature && rBytes <= numberBytes + 1 && sBytes <= numberBytes + 1,
    "OpenSSL signed with P-256",
  );
  const raw = new Uint8Array(2 * numberBytes);
  copyNumber(raw, numberBytes, der.subarray(4, sAt));
  copyNumber(raw, 2 * numberBytes, der.subarray(sAt + 2));
  return raw;
}

/** Where the number of 32 bytes begins when its leading zeros are left out; of zero, its last byte. */
function startOf(raw: Uint8Array, at: number): number {
  let start = at;
  while (start < at + numberBytes - 1 && raw[start] === 0) start++;
  return start;
}

/** 1 when the number needs a zero in front, so as not to be read as negative. */
const signOf = (raw: Uint8Array, start: number): 0 | 1 => ((raw[start] ?? 0) >= 0x80 ? 1 : 0);

function writeInteger(der: Uint8Array, at: number, number: Uint8Array): void {
  const sign = signOf(number, 0);
  der[at] = integerTag;
  der[at + 1] = number.length + sign;
  der.set(number, at + 2 + sign);
}

/** Puts a number so that it ends at `end`, without the zero that says it is positive. */
function copyNumber(raw: Uint8Array, end: number, number: Uint8Array): void {
  const digits = number.length > numberBytes ? number.subarray(1) : number;
  raw.set(digits, end - digits.length);
}
