import { native, nativeBytes, nativeFrom } from "./native.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Two characters per 12 bits: three bytes cost two look-ups instead of four.
const pairs: readonly string[] = Array.from(
  { length: 4096 },
  (_, bits) => alphabet.charAt(bits >> 6) + alphabet.charAt(bits & 63),
);

const notInAlphabet = -1;
const values = new Int8Array(128).fill(notInAlphabet);
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;

const utf8 = new TextEncoder();

function encode(data: Uint8Array | string): string {
  return native === undefined || data.length < nativeFrom
    ? encodeByLoop(data)
    : nativeBytes(native, data).toString("base64url");
}

function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (native === undefined || text.length < nativeFrom) return decodeByLoop(text);
  // Memory of its own, not a part of what others share, of which whoever keeps the bytes would keep the whole.
  const bytes = native.allocUnsafeSlow((text.length * 6) >> 3);
  bytes.write(text, "base64url");
  // It passes over what it does not know: only the canonical spelling comes back as it went in.
  return bytes.toString("base64url") === text ? new Uint8Array(bytes.buffer) : undefined;
}

function encodeByLoop(data: Uint8Array | string): string {
  const bytes = typeof data === "string" ? utf8.encode(data) : data;
  const whole = bytes.length - (bytes.length % 3);
  let text = "";
  for (let i = 0; i < whole; i += 3) {
    const bits = (at(bytes, i) << 16) | (at(bytes, i + 1) << 8) | at(bytes, i + 2);
    text += (pairs[bits >> 12] ?? "") + (pairs[bits & 4095] ?? "");
  }
  if (bytes.length - whole === 1) text += pairs[at(bytes, whole) << 4] ?? "";
  if (bytes.length - whole === 2) {
    const bits = (at(bytes, whole) << 8) | at(bytes, whole + 1);
    text += (pairs[bits >> 4] ?? "") + alphabet.charAt((bits & 15) << 2);
  }
  return text;
}

function decodeByLoop(text: string): Uint8Array<ArrayBuffer> | undefined {
  const spare = text.length % 4;
  if (spare === 1) return undefined;
  const bytes = new Uint8Array((text.length * 6) >> 3);
  const whole = text.length - spare;
  let written = 0;
  for (let i = 0; i < whole; i += 4) {
    const bits =
      (sixBits(text, i) << 18) |
      (sixBits(text, i + 1) << 12) |
      (sixBits(text, i + 2) << 6) |
      sixBits(text, i + 3);
    // A character outside the alphabet makes the whole negative.
    if (bits < 0) return undefined;
    bytes[written++] = bits >> 16;
    bytes[written++] = bits >> 8;
    bytes[written++] = bits;
  }
  if (spare === 0) return bytes;
  const third = spare === 3 ? sixBits(text, whole + 2) : 0;
  const bits = (sixBits(text, whole) << 18) | (sixBits(text, whole + 1) << 12) | (third << 6);
  // RFC 4648 §3.5: bits left over must be zero, or one value would have several spellings.
  if (bits < 0 || (bits & (spare === 2 ? 0xffff : 0xff)) !== 0) return undefined;
  bytes[written++] = bits >> 16;
  if (spare === 3) bytes[written] = bits >> 8;
  return bytes;
}

const sixBits = (text: string, index: number): number => values[text.charCodeAt(index)] ?? notInAlphabet;

const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0;

/**
 * RFC 4648 §5 without padding. `encode` takes bytes, or text as UTF-8; `decode` answers undefined for anything but the
 * one canonical spelling (no padding, no white space, no `+` or `/`, zero spare bits).
 */
export const base64url = { encode, decode } as const;
