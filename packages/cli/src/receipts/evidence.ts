import { readFile } from "node:fs/promises";
import { peekManifest, unpackArchive } from "@remit/protocol";
import { type EvidenceReport, verifyEvidence } from "@remit/protocol/node";
import { bad, good, harmless, note, print, printJson } from "../output.ts";
import { type Trusted, trustedKeys } from "./trust.ts";
import type { VerifyOptions } from "./verify.ts";

/**
 * Checks an evidence pack offline, step by step, with keys that are trusted here. Needs neither Remit's database nor the network
 * where the keys are given or kept; ends with 1 when a step does not hold.
 */
export async function verifyEvidenceFile(file: string, options: VerifyOptions): Promise<void> {
  const archive = new Uint8Array(await readFile(file));
  const trusted = await trustedKeys(peekManifest(unpackArchive(archive)).iss, options);
  const report = await verifyWith(archive, trusted);
  if (options.json === true) printJson({ ...report, trust: trusted.trust });
  else print(linesOf(report).join("\n"));
  if (trusted.trust === "loopback")
    note(`The keys of ${trusted.issuer} were fetched from this machine just now and not kept.`);
  if (!report.verified) process.exitCode = 1;
}

/** Keys that were kept may be older than the pack: their issuer is asked once more before it is called false. */
async function verifyWith(archive: Uint8Array, trusted: Trusted): Promise<EvidenceReport> {
  const report = verifyEvidence(archive, trusted);
  const fresh = report.verified ? undefined : await trusted.fresh();
  return fresh === undefined ? report : verifyEvidence(archive, fresh);
}

function linesOf({ verified, findings, manifest }: EvidenceReport): string[] {
  const width = Math.max(...findings.map(({ step }) => step.length));
  const steps = findings.map(({ step, ok, detail }) => {
    const line = `${ok ? "✓" : "✗"} ${step.padEnd(width)}  ${harmless(detail)}`;
    return ok ? line : bad(line);
  });
  const verdict = verified
    ? good(`The evidence of ${manifest?.charge} is genuine and whole.`)
    : bad("The evidence does not hold.");
  return [...steps, verdict];
}
