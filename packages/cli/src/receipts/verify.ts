import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { assetOf, fromNumericDate, money, systemClock, toDecimal, toRfc3339 } from "@remit/kernel";
import { isJsonObject, Problem, type Receipt } from "@remit/protocol";
import { verifyReceipt } from "@remit/protocol/node";
import { good, note, print, printJson } from "../output.ts";
import type { Where } from "../where.ts";
import { type Trusted, trustedKeys } from "./trust.ts";

export type VerifyOptions = Where & { readonly keys?: string; readonly issuer?: string };

const argumentLengthMax = 20_000;

/** Checks a receipt offline, with keys that are trusted here. What was refused is told, and ends with 1. */
export async function verify(argument: string, options: VerifyOptions): Promise<void> {
  try {
    const jws = await readReceiptText(argument);
    const trusted = await trustedKeys(issuerClaimedBy(jws), options);
    const receipt = await verifyWith(jws, trusted);
    if (options.json === true) printJson({ verified: true, trust: trusted.trust, receipt });
    else print(words(receipt));
    if (trusted.trust === "loopback")
      note(
        `The keys of ${trusted.issuer} were fetched from this machine just now and not kept: nothing here vouches for it.`,
      );
  } catch (error) {
    if (options.json === true) printJson(refusalOf(error));
    throw error;
  }
}

/** Keys that were kept may be older than the receipt: their issuer is asked once more before it is called false. */
async function verifyWith(jws: string, trusted: Trusted): Promise<Receipt> {
  const now = systemClock.now();
  try {
    return verifyReceipt(jws, { issuer: trusted.issuer, keys: trusted.keys, now });
  } catch (error) {
    const fresh = error instanceof Problem ? await trusted.fresh() : undefined;
    if (fresh === undefined) throw error;
    return verifyReceipt(jws, { issuer: fresh.issuer, keys: fresh.keys, now });
  }
}

const refusalOf = (error: unknown): object => ({
  verified: false,
  ...(error instanceof Problem ? { code: error.code } : {}),
  detail: error instanceof Error ? error.message : String(error),
});

async function readReceiptText(argument: string): Promise<string> {
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(argument)) return argument;
  const content = argument === "-" ? await text(process.stdin) : await readAsFile(argument);
  if (!content.trimStart().startsWith("{")) return content.trim();
  // What `remit demo --json` printed holds the receipt too.
  const receipt = memberOf(parsed(content), "receipt");
  if (receipt === undefined) throw new Error("there is no receipt in this");
  return receipt;
}

async function readAsFile(argument: string): Promise<string> {
  const shown = argument.length > 60 ? `${argument.slice(0, 60)}…` : argument;
  if (argument.length > argumentLengthMax) throw new Error(`${shown} is no receipt`);
  try {
    return await readFile(argument, "utf8");
  } catch (error) {
    throw new Error(`${shown} is neither a receipt nor a file that can be read`, { cause: error });
  }
}

/** Only to know whose keys to use; with the wrong keys nothing verifies. */
function issuerClaimedBy(jws: string): string {
  const issuer = memberOf(parsed(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8")), "iss");
  if (issuer === undefined || !URL.canParse(issuer) || new URL(issuer).origin !== issuer)
    throw new Error("this is no receipt");
  return issuer;
}

function words(receipt: Receipt): string {
  const asset = assetOf(receipt.currency);
  const amount =
    asset === undefined
      ? String(receipt.amount_minor)
      : toDecimal(money(asset, BigInt(receipt.amount_minor)));
  return [
    good("The receipt is genuine."),
    `  issuer     ${receipt.iss}`,
    `  charge     ${receipt.charge}`,
    `  merchant   ${receipt.merchant.origin} (${receipt.merchant.id})`,
    `  amount     ${amount} ${receipt.currency}${receipt.livemode ? "" : " (test)"}`,
    `  paid by    ${receipt.rail}${receipt.payment_reference === null ? "" : ` ${receipt.payment_reference}`}`,
    `  captured   ${toRfc3339(fromNumericDate(receipt.captured_at))}`,
    `  offer      ${receipt.offer_digest}`,
    `  mandate    ${receipt.mandate_hash}`,
  ].join("\n");
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): string | undefined {
  const member = isJsonObject(value) ? value[name] : undefined;
  return typeof member === "string" ? member : undefined;
}
