import { type Instant, secondMs } from "@remit/kernel";
import { base64url, concatBytes, equalBytes, type Mac } from "../encoding/index.ts";

/** Nonces that need no memory: a time step and its MAC, good for 90 to 120 s, in every process with the same secret. */
export type DpopNonces = {
  issue(now: Instant): string;
  /** Whether the nonce is ours, and whether it is time for a new one. */
  judge(nonce: string, now: Instant): "current" | "aging" | "refused";
};

const stepMs = 30 * secondMs;
const stepsMax = 3;
const stepBytes = 4;
const macBytes = 12;
const label = new TextEncoder().encode("dpop-nonce");

/** RFC 9449 §9. `mac` is HMAC-SHA-256 under the secret that all processes of the resource server share. */
export function createDpopNonces(mac: Mac): DpopNonces {
  const nonceOf = (step: number): Uint8Array => {
    const bytes = new Uint8Array(stepBytes);
    new DataView(bytes.buffer).setUint32(0, step);
    return concatBytes(bytes, mac(concatBytes(label, bytes)).subarray(0, macBytes));
  };
  const stepOf = (now: Instant): number => Math.floor(now / stepMs);
  return {
    issue: (now) => base64url.encode(nonceOf(stepOf(now))),
    judge(nonce, now) {
      const given = nonce.length > 32 ? undefined : base64url.decode(nonce);
      if (given?.length !== stepBytes + macBytes) return "refused";
      const step = new DataView(given.buffer, given.byteOffset).getUint32(0);
      const age = stepOf(now) - step;
      // One step of the future: another process of ours may be a little ahead.
      if (age > stepsMax || age < -1 || !equalBytes(given, nonceOf(step))) return "refused";
      return age > 0 ? "aging" : "current";
    },
  };
}
