import { setTimeout as pause } from "node:timers/promises";
import type { Goods } from "./goods.ts";
import type { Payer } from "./payers.ts";

/** A shop as a buyer meets it, and what its seller can count. */
export type Trial = {
  readonly origin: string;
  readonly goods: Goods;
  readonly payer: Payer;
  /** How many payments have really been taken. */
  moved(): Promise<number>;
};

export type Finding = { readonly holds: boolean; readonly seen: string };

/** One weakness that was measured on a reference: what must hold, and how it is tried. The same trial runs on both. */
export type Row = {
  readonly name: string;
  readonly protocol: "x402" | "mpp";
  readonly run: (trial: Trial) => Promise<Finding>;
};

const send = (trial: Trial, path: string, headers: Record<string, string>): Promise<Response> =>
  fetch(trial.origin + path, { headers });

const counted = async (trial: Trial, path: string, work: () => Promise<void>) => {
  const before = { runs: trial.goods.runs(path), moved: await trial.moved() };
  await work();
  return { runs: trial.goods.runs(path) - before.runs, moved: (await trial.moved()) - before.moved };
};

export const receiptIn = (answer: Response): boolean =>
  answer.headers.has("payment-receipt") || answer.headers.has("payment-response");

async function race(trial: Trial): Promise<Finding> {
  const paid = await trial.payer.credential(`${trial.origin}/report`);
  const statuses: number[] = [];
  const { runs, moved } = await counted(trial, "/report", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(trial, "/report", paid)));
    for (const answer of answers) {
      statuses.push(answer.status);
      await answer.text();
    }
  });
  const tally = [...new Set(statuses)].map(
    (status) => `${statuses.filter((one) => one === status).length}x${status}`,
  );
  return { holds: runs === 1 && moved === 1, seen: `made ${runs}x, paid ${moved}x (${tally.join(" ")})` };
}

/** Whoever paid and asks again gets what was paid for, or is told that it is: never that it has to be paid. */
async function replay(trial: Trial): Promise<Finding> {
  const paid = await trial.payer.credential(`${trial.origin}/report`);
  const first = await send(trial, "/report", paid);
  const bought = await first.text();
  const second = await send(trial, "/report", paid);
  const again = await second.text();
  const said = second.status === 200 ? "the same answer" : codeOf(second, again);
  const holds =
    first.status === 200 &&
    (second.status === 200 ? again === bought : second.status === 409 && again.includes('"code"'));
  return { holds, seen: `${first.status}, then ${second.status}: ${said}` };
}

function codeOf(answer: Response, body: string): string {
  const required = answer.headers.get("payment-required");
  const error = required === null ? undefined : JSON.parse(Buffer.from(required, "base64").toString()).error;
  const problem = jsonIn(body);
  return String(problem["code"] ?? error ?? problem["type"] ?? problem["error"] ?? "nothing").slice(0, 60);
}

function jsonIn(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}

async function sibling(trial: Trial): Promise<Finding> {
  const paid = await trial.payer.credential(`${trial.origin}/report`);
  let status = 0;
  const { runs, moved } = await counted(trial, "/sibling", async () => {
    const answer = await send(trial, "/sibling", paid);
    ({ status } = answer);
    await answer.text();
  });
  return {
    holds: status >= 400 && runs === 0 && moved === 0,
    seen: `${status}, made ${runs}x, paid ${moved}x`,
  };
}

async function broken(trial: Trial): Promise<Finding> {
  const paid = await trial.payer.credential(`${trial.origin}/broken`);
  let answer = new Response();
  const { moved, runs } = await counted(trial, "/broken", async () => {
    answer = await send(trial, "/broken", paid);
    await answer.text();
    await pause(500);
  });
  const receipt = receiptIn(answer);
  return {
    holds: answer.status === 500 && runs === 1 && moved === 0 && !receipt,
    seen: `${answer.status}, paid ${moved}x, ${receipt ? "with" : "no"} receipt`,
  };
}

/** One challenge, two tokens: the specification lets a challenge be used once. */
async function twoTokens(trial: Trial): Promise<Finding> {
  const unpaid = await fetch(`${trial.origin}/report`);
  const credentials = [await trial.payer.answer(unpaid), await trial.payer.answer(unpaid)];
  const statuses: number[] = [];
  const { moved } = await counted(trial, "/report", async () => {
    for (const credential of credentials) {
      const answer = await send(trial, "/report", credential);
      statuses.push(answer.status);
      await answer.text();
    }
  });
  return {
    holds: statuses[0] === 200 && statuses[1] !== 200 && moved === 1,
    seen: `${statuses.join(", ")}, paid ${moved}x`,
  };
}

/** The buyer hangs up while the goods are made, and comes back: it gets them, and pays once. */
async function hangUp(trial: Trial): Promise<Finding> {
  const paid = await trial.payer.credential(`${trial.origin}/slow`, { identified: true });
  let later = "";
  const { moved } = await counted(trial, "/slow", async () => {
    const away = new AbortController();
    const made = trial.goods.runs("/slow");
    const gone = fetch(`${trial.origin}/slow`, { headers: paid, signal: away.signal }).catch(() => undefined);
    // It goes while its goods are being made, however long the shop takes to begin.
    for (let tries = 0; tries < 200 && trial.goods.runs("/slow") === made; tries++) await pause(50);
    away.abort();
    await gone;
    await pause(1500);
    let answer = await send(trial, "/slow", paid);
    // Told to come back, it does.
    for (let tries = 0; tries < 20 && answer.status === 409 && answer.headers.has("retry-after"); tries++) {
      await pause(500);
      answer = await send(trial, "/slow", paid);
    }
    const goods = (await answer.text()).includes('"/slow"');
    later = answer.status === 200 && goods ? "yes" : `no, ${answer.status}`;
  });
  return { holds: moved === 1 && later === "yes", seen: `paid ${moved}x, fetched later: ${later}` };
}

async function malformed(trial: Trial): Promise<Finding> {
  const answer = await send(trial, "/report", { "payment-signature": "bm90IGEgcGF5bWVudA==" });
  const body = await answer.text();
  return { holds: answer.status === 400, seen: `${answer.status}: ${codeOf(answer, body)}` };
}

export const rows: readonly Row[] = [
  { name: "one credential, 20 at once: the goods are made once", protocol: "x402", run: race },
  { name: "one credential twice: told what became of it", protocol: "x402", run: replay },
  { name: "one credential twice: the payer gets what was paid for", protocol: "mpp", run: replay },
  { name: "a credential for another route of the same price", protocol: "x402", run: sibling },
  { name: "a credential for another route of the same price", protocol: "mpp", run: sibling },
  { name: "the upstream answers 500: no charge, no receipt", protocol: "mpp", run: broken },
  { name: "one challenge, two tokens: one payment", protocol: "mpp", run: twoTokens },
  { name: "the client hangs up: paid once, and fetched later", protocol: "x402", run: hangUp },
  { name: "the client hangs up: paid once, and fetched later", protocol: "mpp", run: hangUp },
  { name: "a malformed credential is a bad request (400)", protocol: "x402", run: malformed },
];
