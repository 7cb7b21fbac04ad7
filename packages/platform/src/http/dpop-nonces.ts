import { createHmac, timingSafeEqual } from "node:crypto";
import { type Instant, secondMs } from "@remit/kernel";

/** Nonces that need no memory: a time step and its MAC, good for 90 to 120 s, in every process with the same secret. */
export type DpopNonces = {
  issue(now: Instant): string;
  /** Whether the nonce is ours, and whether it is time for a new one. */
  judge(nonce: string, now: Instant): "current" | "aging" | "refused";
};

const stepMs = 30 * secondMs;
const stepsMax = 3;

export function createDpopNonces(secret: Uint8Array): DpopNonces {
  const nonceOf = (step: number): Buffer => {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32BE(step, 0);
    createHmac("sha256", secret)
      .update("dpop-nonce")
      .update(bytes.subarray(0, 4))
      .digest()
      .copy(bytes, 4, 0, 12);
    return bytes;
  };
  const stepOf = (now: Instant): number => Math.floor(now / stepMs);
  return {
    issue: (now) => nonceOf(stepOf(now)).toString("base64url"),
    judge(nonce, now) {
      const given = Buffer.from(nonce, "base64url");
      if (given.length !== 16 || given.toString("base64url") !== nonce) return "refused";
      const step = given.readUInt32BE(0);
      const age = stepOf(now) - step;
      // One step of the future: another process of ours may be a little ahead.
      if (age > stepsMax || age < -1 || !timingSafeEqual(given, nonceOf(step))) return "refused";
      return age > 0 ? "aging" : "current";
    },
  };
}
