import type { DevFile } from "@remit/embedded";
import { LedgerCheck } from "@remit/protocol/contracts";
import { bad, good, print, printJson } from "./output.ts";
import { getJson, withInstance } from "./running/index.ts";
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
