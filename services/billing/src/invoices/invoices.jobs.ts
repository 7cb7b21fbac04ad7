import { hourMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { z } from "zod";
import { dueMonths, monthsNow } from "../ledger/index.ts";
import { dun, type InvoiceDeps, invoiceMonth } from "./invoices.ts";

const monthQueue = "invoices.month";
const Due = z.strictObject({ month: z.string() });

/** Has a month closed and invoiced by whichever process is free. */
export const askForMonth = (db: Database, month: string): Promise<void> =>
  db.global.transaction((tx) => enqueue(tx, { queue: monthQueue, key: month, payload: { month } }));

// A month is never given up: it is only tried more slowly.
const attemptsMax = 1_000_000;

export const invoiceJobs = (jobs: Jobs, deps: InvoiceDeps): Jobs =>
  jobs
    .on(monthQueue, {
      attemptsMax,
      handle: async ({ payload }) => invoiceMonth(deps, Due.parse(payload).month),
    })
    .every("invoices.months", hourMs, async () => {
      for (const month of await dueMonths(deps.db, monthsNow(deps.clock))) await askForMonth(deps.db, month);
    })
    .every("invoices.dunning", hourMs, async () => {
      while (await dun(deps));
    });
