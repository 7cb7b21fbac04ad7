import { createGoods, metered, openUpstream } from "./goods.ts";
import { priceAtomic, priceMinor, startRemit } from "./instance.ts";
import { acceptsIn, mppPayer, openTill, settlementIn, type Till, x402Payer } from "./payers.ts";
import { openMppShop, openX402Shop, sellOverX402 } from "./references.ts";
import { type Finding, type Row, receiptIn, rows, type Trial } from "./rows.ts";

/** Where the two sellers are paid: addresses that nothing else in this suite pays to. */
const payTo = {
  remit: "0x00000000000000000000000000000000000052e1",
  reference: "0x00000000000000000000000000000000000052e2",
  /** A server of another maker that Remit's facilitator settles for. */
  served: "0x00000000000000000000000000000000000052e3",
} as const;

const upstreamGoods = createGoods();
const upstream = await openUpstream(upstreamGoods);
const remit = await startRemit(upstream.origin, payTo.remit);
const till = openTill(remit);
const [x402Goods, mppGoods] = [createGoods(), createGoods()];
const x402Shop = await openX402Shop(x402Goods, { rpc: remit.rpc, payTo: payTo.reference });
const mppShop = await openMppShop(mppGoods, remit.sandbox);
let failed = 0;
try {
  await unmodifiedClients();
  await byUse();
  await facilitator();
  await weaknesses();
  await latencies();
} finally {
  for (const one of [x402Shop, mppShop, upstream]) one.close();
  await remit.stop();
}
process.stdout.write(
  failed === 0 ? "\ninterop: all as it should be\n" : `\ninterop: ${failed} not as it should be\n`,
);
process.exit(failed === 0 ? 0 : 1);

/** Both clients, as npm has them, pay the same address; what they paid is on the chain and at Stripe. */
async function unmodifiedClients(): Promise<void> {
  const url = `${remit.gateway}/report`;
  process.stdout.write(`\nUnmodified clients at ${url}\n\n`);
  await tried("@x402/fetch 2.27, stablecoin", async () => {
    const before = (await till.transfersTo(payTo.remit)).length;
    const answer = await x402Payer(remit).fetch(url);
    const body = await answer.text();
    const transfers = (await till.transfersTo(payTo.remit)).slice(before);
    const [transfer] = transfers;
    return {
      holds:
        answer.status === 200 &&
        transfers.length === 1 &&
        transfer?.value === priceAtomic &&
        receiptIn(answer),
      seen: `${answer.status} ${body}; Transfer of ${transfer?.value} in ${transfer?.transaction}`,
    };
  });
  await tried("mppx 0.11, shared payment token", async () => {
    const known = new Set((await till.payments()).map(({ id }) => id));
    const answer = await mppPayer(remit).fetch(url);
    const body = await answer.text();
    const payments = (await till.payments()).filter(({ id }) => !known.has(id));
    const [payment] = payments;
    const charged = payment?.status === "succeeded" && payment.amount_received === priceMinor;
    return {
      holds: answer.status === 200 && payments.length === 1 && charged && receiptIn(answer),
      seen: `${answer.status} ${body}; ${payment?.id} ${payment?.status} ${payment?.amount_received} ${payment?.currency}`,
    };
  });
}

/** A price by use, by the scheme for it: the most is signed, and what was used is what moves. */
async function byUse(): Promise<void> {
  await tried("@x402/evm 2.27, upto: a permit for 0.90, of which 0.62 are used", async () => {
    const url = `${remit.gateway}${metered.path}`;
    const before = (await till.transfersTo(payTo.remit)).length;
    const { runs } = upstreamGoods;
    const made = runs(metered.path);
    const payer = x402Payer(remit);
    const unpaid = await fetch(url);
    const [entry] = acceptsIn(unpaid);
    const headers = await payer.answer(unpaid);
    const answer = await fetch(url, { headers });
    const body = await answer.text();
    const settled = settlementIn(answer);
    // The permit stands on the chain now: whoever reads it there gets nothing for it, and moves nothing.
    const again = await fetch(url, { headers });
    const said = await again.text();
    const transfers = (await till.transfersTo(payTo.remit)).slice(before);
    const [transfer] = transfers;
    return {
      holds:
        entry?.scheme === "upto" &&
        entry.amount === metered.ceilingAtomic.toString() &&
        answer.status === 200 &&
        transfers.length === 1 &&
        transfer?.value === metered.usedAtomic &&
        settled?.success === true &&
        settled.amount === metered.usedAtomic.toString() &&
        settled.transaction === transfer.transaction &&
        again.status === 409 &&
        !said.includes("goods") &&
        !said.includes("usage") &&
        runs(metered.path) - made === 1,
      seen: `${answer.status} ${body}; ${entry?.scheme} ${entry?.amount}; Transfer of ${transfer?.value} in ${transfer?.transaction}; sent again: ${again.status}`,
    };
  });
}

/** A server of another maker has its payments settled by ours. */
async function facilitator(): Promise<void> {
  await tried("@x402/express 2.27, settled by Remit's facilitator", async () => {
    const shop = await sellOverX402(createGoods(), {
      facilitator: `${remit.gateway}/facilitator`,
      payTo: payTo.served,
    });
    try {
      const answer = await x402Payer(remit).fetch(`${shop.origin}/report`);
      const body = await answer.text();
      const transfers = await till.transfersTo(payTo.served);
      const paid = transfers.length === 1 && transfers[0]?.value === priceAtomic;
      return {
        holds: answer.status === 200 && paid && receiptIn(answer),
        seen: `${answer.status} ${body}; Transfer of ${transfers[0]?.value} in ${transfers[0]?.transaction}`,
      };
    } finally {
      shop.close();
    }
  });
}

/** Told, not judged: a machine that others share says little of time. */
async function latencies(): Promise<void> {
  process.stdout.write("\nFrom the credential to the answer, 20 one after another, ms (goods take 30)\n\n");
  for (const protocol of ["x402", "mpp"] as const)
    for (const [name, trial] of [
      ["reference", referenceTrial({ protocol })],
      ["Remit", remitTrial({ protocol })],
    ] as const) {
      const took = await timesOf(trial).catch(() => []);
      const at = (part: number): string => took[Math.floor(took.length * part)]?.toFixed(0) ?? "none";
      process.stdout.write(`${protocol.padEnd(5)}${name.padEnd(10)} p50 ${at(0.5)}, p95 ${at(0.95)}\n`);
    }
}

async function timesOf({ origin, payer }: Trial): Promise<number[]> {
  const took: number[] = [];
  for (let number = 0; number < 20; number++) {
    const headers = await payer.credential(`${origin}/report`);
    const started = performance.now();
    const answer = await fetch(`${origin}/report`, { headers });
    await answer.text();
    if (answer.status === 200) took.push(performance.now() - started);
  }
  return took.sort((a, b) => a - b);
}

async function tried(name: string, work: () => Promise<Finding>): Promise<void> {
  const { holds, seen } = await work().catch((error: unknown) => ({ holds: false, seen: threw(error) }));
  if (!holds) failed++;
  process.stdout.write(`${holds ? "ok  " : "FAIL"} ${name}: ${seen}\n`);
}

/** Every row fails on its reference, which shows that it can, and holds on Remit. */
async function weaknesses(): Promise<void> {
  process.stdout.write("\nWhat was measured on the references, on both\n\n");
  const table: string[][] = [["", "must hold", "reference", "Remit"]];
  for (const row of rows) {
    const reference = await found(row, referenceTrial(row));
    const ours = await found(row, remitTrial(row));
    const fine = ours.holds && !reference.holds;
    if (!fine) failed++;
    const mark = fine ? "ok" : ours.holds ? "NO CONTROL" : "FAIL";
    table.push([mark, `${row.protocol}: ${row.name}`, reference.seen, ours.seen]);
  }
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  for (const cells of table)
    process.stdout.write(`${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")}\n`);
}

function found(row: Row, trial: Trial): Promise<Finding> {
  return row.run(trial).catch((error: unknown) => ({ holds: false, seen: threw(error) }));
}

function threw(error: unknown): string {
  return `it threw: ${String(error).slice(0, 80)}`;
}

function referenceTrial({ protocol }: Pick<Row, "protocol">): Trial {
  const shop =
    protocol === "x402" ? { shop: x402Shop, goods: x402Goods } : { shop: mppShop, goods: mppGoods };
  return { origin: shop.shop.origin, goods: shop.goods, ...payerOf(protocol, till, payTo.reference) };
}

function remitTrial({ protocol }: Pick<Row, "protocol">): Trial {
  return { origin: remit.gateway, goods: upstreamGoods, ...payerOf(protocol, till, payTo.remit) };
}

function payerOf(protocol: Row["protocol"], of: Till, to: string): Pick<Trial, "moved" | "payer"> {
  if (protocol === "x402")
    return { payer: x402Payer(remit), moved: async () => (await of.transfersTo(to)).length };
  const succeeded = async () => (await of.payments()).filter(({ status }) => status === "succeeded").length;
  return { payer: mppPayer(remit), moved: succeeded };
}
