import { createHmac } from "node:crypto";
import { type Instant, secondMs } from "@remit/kernel";

const stepS = 30;
const digits = 6;

export const stepAt = (now: Instant): number => Math.floor(now / secondMs / stepS);

/** The code of a step (RFC 6238 §4.2 over RFC 4226 §5.3), with SHA-1 and 6 digits as every authenticator app does. */
export function codeAt(
  secret: Uint8Array,
  step: number,
  { hash = "sha1", length = digits }: { hash?: "sha1" | "sha256" | "sha512"; length?: number } = {},
): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac(hash, secret).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** length).padStart(length, "0");
}

/** The step whose code this is: now, or one beside it, as clocks differ (RFC 6238 §5.2). Undefined for any other. */
export function stepOfCode(secret: Uint8Array, code: string, now: Instant): number | undefined {
  const current = stepAt(now);
  // All three are always computed: how long it takes says nothing of which one it was.
  return [current, current - 1, current + 1].filter((step) => codeAt(secret, step) === code)[0];
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648 §6, as apps take it. */
export function base32(bytes: Uint8Array): string {
  let bits = "";
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => alphabet[Number.parseInt(five.padEnd(5, "0"), 2)])
    .join("");
}

/** The address in the QR code (the apps' Key URI Format). */
export function keyUri(secret: Uint8Array, { issuer, account }: { issuer: string; account: string }): string {
  const query = new URLSearchParams({
    secret: base32(secret),
    issuer,
    digits: String(digits),
    period: String(stepS),
  });
  return `otpauth://totp/${encodeURIComponent(issuer)}:${encodeURIComponent(account)}?${query.toString().replaceAll("+", "%20")}`;
}
