import type { DevFile } from "@remit/embedded";
import { csvLine, parseId } from "@remit/kernel";
import { LedgerAccountShown, LedgerCheck, LedgerEntryShown, LedgerExport } from "@remit/protocol/contracts";
import { bad, bold, faint, good, harmless, print, printJson } from "./output.ts";
import { callWithProof, getJson, withInstance } from "./running/index.ts";
import type { Where } from "./where.ts";

export const readLedgerCheck = async (dev: DevFile): Promise<LedgerCheck> =>
  LedgerCheck.parse(await getJson(dev, dev.billing, "/api/v1/ledger/check"));

export const checkLedger = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const check = await readLedgerCheck(dev);
    if (options.json === true) printJson(check);
    else print(sentence(check));
    if (!check.balanced) process.exitCode = 1;
  });

const sentence = (check: LedgerCheck): string => {
  const seen = `${check.entries_checked} entries in ${check.accounts_checked} accounts`;
  if (check.balanced) return good(`The ledger balances: ${seen}.`);
  const wrong = check.assets
    .filter(({ imbalance }) => imbalance !== "0")
    .map(({ asset, imbalance }) => `${asset} by ${imbalance}`);
  return bad(
    `The ledger does not balance (${seen}): ${wrong.join(", ") || "a balance differs from its postings"}.`,
  );
};

const readBooks = (dev: DevFile, path: string): Promise<unknown> => {
  if (dev.operator === undefined)
    throw new Error("this instance was started by an older version; stop it and start it again");
  return callWithProof(dev.issuer, dev.operator, {
    origin: dev.billing,
    method: "GET",
    path,
    scope: "billing:read",
  });
};

/** Shows an entry (`ent_…`) or an account (`merchant_payable:mrc_…:USD`), whoever's it is. */
export const showLedger = (what: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const isEntry = parseId("entry", what) !== undefined;
    const path = isEntry ? `entries/${what}` : `account?id=${encodeURIComponent(what)}`;
    const found = await readBooks(dev, `/api/v1/ledger/${path}`);
    if (options.json === true) printJson(found);
    else if (isEntry) print(entryLines(LedgerEntryShown.parse(found)).join("\n"));
    else print(accountLines(LedgerAccountShown.parse(found)).join("\n"));
  });

const entryLines = (entry: LedgerEntryShown): string[] => [
  bold(`${entry.id}  ${entry.kind}  ${entry.posted_at}`),
  `  ${entry.transition} of ${harmless(entry.object)}, the ${entry.ordinal}. time`,
  `  charge ${entry.charge ?? "none"}; at the processor ${harmless(entry.source ?? "the same")}`,
  ...(entry.reverses === null ? [] : [`  takes back ${entry.reverses}`]),
  ...(entry.reversed_by === null ? [] : [bad(`  taken back by ${entry.reversed_by}`)]),
  ...entry.postings.map(
    ({ account, asset, units, balance }) =>
      `  ${units.padStart(16)} ${asset.padEnd(6)} ${account}  ${faint(`then ${balance}`)}`,
  ),
];

const accountLines = (account: LedgerAccountShown): string[] => [
  bold(`${account.id}  ${account.balance} ${account.asset}`),
  `  of ${account.owner}, opened ${account.opened_at}, ${account.postings} postings; the newest:`,
  ...account.newest.map(
    ({ entry, units, balance }) => `  ${units.padStart(16)}  ${entry}  ${faint(`then ${balance}`)}`,
  ),
];

export type ExportWish = Where & {
  readonly from: string;
  readonly until: string;
  readonly format: "csv" | "json";
};

const exportColumns = [
  "posted_at",
  "entry",
  "kind",
  "object",
  "transition",
  "ordinal",
  "charge",
  "reverses",
  "owner",
  "account",
  "asset",
  "units",
];

/** Writes the books of a period, posting by posting as CSV or entry by entry as JSON lines: page by page, as it is read. */
export const exportLedger = (options: ExportWish): Promise<void> =>
  withInstance({ ...options, json: true }, async (dev) => {
    const csv = options.format === "csv" && options.json !== true;
    if (csv) await put(`${exportColumns.join(",")}\r\n`);
    const period = new URLSearchParams({ from: timeOf(options.from), until: timeOf(options.until) });
    for (let cursor: string | null = ""; cursor !== null; ) {
      const at = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = LedgerExport.parse(
        await readBooks(dev, `/api/v1/ledger/export?${period.toString()}${at}`),
      );
      const lines = page.data.map((entry) => (csv ? csvOf(entry) : `${JSON.stringify(entry)}\n`));
      await put(lines.join(""));
      cursor = page.next_cursor;
    }
  });

const csvOf = (entry: LedgerExport["data"][number]): string =>
  entry.postings
    .map(({ owner, account, asset, units }) =>
      csvLine([
        entry.posted_at,
        entry.id,
        entry.kind,
        entry.object,
        entry.transition,
        entry.ordinal,
        entry.charge,
        entry.reverses,
        owner,
        account,
        asset,
        units,
      ]),
    )
    .join("");

/** A day, a month or a time, as the first instant of it. */
function timeOf(text: string): string {
  const day = /^\d{4}-\d{2}$/.test(text) ? `${text}-01` : text;
  return /^\d{4}-\d{2}-\d{2}$/.test(day) ? `${day}T00:00:00Z` : day;
}

/** Waits where whoever reads is slower than we are: memory holds one page. */
const put = (text: string): Promise<void> =>
  new Promise((done, failed) => {
    process.stdout.write(text, (error) => (error ? failed(error) : done()));
  });
