import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";
import { assetOf, fromNumericDate, money, systemClock, toDecimal, toRfc3339 } from "@remit/kernel";
import {
  type EvidenceKeySet,
  evidenceKeysPath,
  isJsonObject,
  type Json,
  parseEvidenceKeys,
  parseJson,
  type Receipt,
} from "@remit/protocol";
import { verifyReceipt } from "@remit/protocol/node";
import { good, print, printJson } from "./output.ts";
import type { Where } from "./where.ts";

/** Checks a receipt with the issuer's keys: from a file, as kept by an earlier command, or fetched and kept now. */
export async function verify(argument: string, options: Where & { readonly keys?: string }): Promise<void> {
  const jws = await readReceiptText(argument);
  const { issuer, keys } = await keysFor(jws, options);
  const receipt = verifyReceipt(jws, { issuer, keys, now: systemClock.now() });
  if (options.json === true) printJson({ verified: true, receipt });
  else print(words(receipt));
}

async function readReceiptText(argument: string): Promise<string> {
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(argument)) return argument;
  const content = argument === "-" ? await text(process.stdin) : await readFile(argument, "utf8");
  if (!content.trimStart().startsWith("{")) return content.trim();
  // What `remit demo --json` printed holds the receipt too.
  const receipt = memberOf(JSON.parse(content), "receipt");
  if (receipt === undefined) throw new Error("there is no receipt in this file");
  return receipt;
}

async function keysFor(jws: string, options: Where & { readonly keys?: string }): Promise<EvidenceKeySet> {
  if (options.keys !== undefined) return parseEvidenceKeys(parseJson(await readFile(options.keys)));
  const issuer = issuerClaimedBy(jws);
  const kept = trustFile(options.dataDir, issuer);
  try {
    return parseEvidenceKeys(parseJson(await readFile(kept)));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  return keepKeys(options.dataDir, issuer);
}

/** Only to know whose keys to use; with the wrong keys nothing verifies. */
function issuerClaimedBy(jws: string): string {
  const payload = Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8");
  let issuer: string | undefined;
  try {
    issuer = memberOf(JSON.parse(payload), "iss");
  } catch {
    issuer = undefined;
  }
  if (issuer === undefined || !URL.canParse(issuer)) throw new Error("this is no receipt");
  return issuer;
}

const trustFile = (dataDir: string, issuer: string): string =>
  path.join(dataDir, "trust", `${new URL(issuer).host.replace(":", "-")}.json`);

/** Fetches the issuer's evidence keys and keeps them, so that receipts verify without it from now on. */
export async function keepKeys(dataDir: string, issuer: string): Promise<EvidenceKeySet> {
  let document: Json;
  try {
    const response = await fetch(issuer + evidenceKeysPath);
    document = parseJson(new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    throw new Error(
      `the keys of ${issuer} are neither kept here nor to be had now; save ${evidenceKeysPath} and give it with --keys`,
      {
        cause: error,
      },
    );
  }
  const keys = parseEvidenceKeys(document);
  const file = trustFile(dataDir, issuer);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
  return keys;
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

function memberOf(value: unknown, name: string): string | undefined {
  const member = isJsonObject(value) ? value[name] : undefined;
  return typeof member === "string" ? member : undefined;
}
