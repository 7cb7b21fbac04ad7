import { randomBytes } from "node:crypto";
import { invariant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { failpoint } from "../failpoint/index.ts";
import { enqueue } from "../jobs/index.ts";
import type { Database, GlobalTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import {
  beginKekRotation,
  countUnderOthers,
  endKekRotation,
  forgetSettledKek,
  type KekState,
  readKekState,
  rewrap,
  rewrapRoot,
  rowsUnderOthers,
} from "./kek.sql.ts";
import type { KekEngine } from "./kek.ts";
import { aadOf, kekChannel, type OpenKek } from "./open-kek.ts";
import { rootAad } from "./places.ts";

/** Where a rotation stands. `former` is null when none runs. */
export type KekProgress = {
  readonly current: string;
  readonly former: string | null;
  /** Rows that are still under another key than the current one. */
  readonly remaining: number;
};

export type KekRotation = {
  /** Lets another key wrap from now on, and leaves the rest to a job. While one rotation runs, that one is returned. */
  begin(): Promise<KekProgress>;
  progress(): Promise<KekProgress>;
  /** Rewraps all there is and ends the rotation. May be cut short anywhere, run again, and run by several at once. */
  run(): Promise<void>;
};

export type KekRotationOptions = {
  readonly db: Database;
  readonly kek: OpenKek;
  readonly log: Log;
  /** Told of the begin and the end of a rotation, in their transactions. */
  readonly recordChange?: (tx: GlobalTx, change: { current: string; former: string | null }) => Promise<void>;
};

export const kekQueue = "keys.rewrap";

const batchRows = 200;

export function createKekRotation(options: KekRotationOptions): KekRotation {
  const { db } = options;
  const progress = (): Promise<KekProgress> =>
    db.global.transaction(async (tx) => {
      const { current, former } = await stateOf(tx);
      return { current, former, remaining: await countUnderOthers(tx, current) };
    });
  return {
    progress,
    async begin() {
      const state = await db.global.transaction(stateOf);
      if (state.former === null) await switchKeys(options, state.current);
      return progress();
    },
    run: () => run(options),
  };
}

async function stateOf(tx: GlobalTx): Promise<KekState> {
  const state = await readKekState(tx);
  invariant(state !== undefined, "an opened database says which key wraps");
  return state;
}

async function switchKeys(options: KekRotationOptions, current: string): Promise<void> {
  const { db, kek, recordChange } = options;
  // One at a time: the name of the former one must not be written over.
  await settleFormer(options);
  const next = await kek.source.next(current);
  await failpoint("kek.made");
  await tryOut(next);
  await db.global.transaction(async (tx) => {
    if (!(await beginKekRotation(tx, { current, next: next.id }))) return;
    await recordChange?.(tx, { current: next.id, former: current });
    await enqueue(tx, { queue: kekQueue, key: "rewrap", payload: {} });
    tx.notify(kekChannel);
  });
  await failpoint("kek.begun");
  await kek.follow();
}

/** A key elsewhere may be disabled, or not ours to use: once it is the current one, nothing could be sealed any more. */
async function tryOut(key: KekEngine): Promise<void> {
  const trial = { plaintext: randomBytes(32), aad: "trial" };
  const back = await key.unwrap({ wrapped: await key.wrap(trial), aad: trial.aad });
  if (!trial.plaintext.equals(back))
    throw new Problem("unavailable", {
      private: { because: `key-encryption key ${key.id} does not give back what it wraps` },
    });
}

async function run(options: KekRotationOptions): Promise<void> {
  const { db, kek, recordChange } = options;
  const state = await db.global.transaction(stateOf);
  const { current, former } = state;
  await kek.follow();
  if (former === null) return settleFormer(options);
  for (const kind of ["signing", "data"] as const) await rewrapAll(options, { kind, current });
  await rewrapTheRoot(options, state);
  await failpoint("kek.rewrapped");
  const ended = await db.global.transaction(async (tx) => {
    if (!(await endKekRotation(tx, { current, former }))) return false;
    await recordChange?.(tx, { current, former: null });
    tx.notify(kekChannel);
    return true;
  });
  invariant(
    ended || (await db.global.transaction(stateOf)).former === null,
    "nothing comes to be under a former key",
  );
  await failpoint("kek.ended");
  await settleFormer(options);
}

/**
 * Nobody needs the former key any more: it is disabled where it is kept, and then forgotten. Its name stands in the database
 * until that is done, so a process that is killed here, or a keeper that is away, leaves nothing usable for good.
 */
async function settleFormer({ db, kek, log }: KekRotationOptions): Promise<void> {
  const { current, former, unsettled } = await db.global.transaction(stateOf);
  if (unsettled === null || former !== null) return;
  await kek.source.settle(current, unsettled).catch((err: unknown) => {
    log.error(
      { err, current, former: unsettled },
      "the former key-encryption key is not destroyed yet: it is tried again",
    );
    throw err;
  });
  await db.global.transaction((tx) => forgetSettledKek(tx, unsettled));
  await kek.follow();
  log.info(
    { current, former: unsettled },
    "every key is under the new key-encryption key; the former one is destroyed",
  );
}

/** Each row by one conditional UPDATE outside any transaction of ours: the key may be kept elsewhere, which takes time. */
async function rewrapAll(
  { db, kek }: KekRotationOptions,
  { kind, current }: { kind: "data" | "signing"; current: string },
): Promise<void> {
  for (let after = ""; ; ) {
    const page = { kind, current, after, limit: batchRows };
    const rows = await db.global.transaction((tx) => rowsUnderOthers(tx, page));
    const by = await kek.engine(current);
    const fresh: { readonly row: (typeof rows)[number]; readonly wrapped: Uint8Array }[] = [];
    for (const row of rows) {
      const aad = aadOf(row);
      const plaintext = await kek.unwrap({ wrapped: row.wrapped, kek: row.kek, aad });
      fresh.push({ row, wrapped: await by.wrap({ plaintext, aad }) });
    }
    await db.global.transaction(async (tx) => {
      for (const { row, wrapped } of fresh) await rewrap(tx, row, { wrapped, kek: current });
    });
    await failpoint("kek.batch");
    if (rows.length < batchRows) return;
    after = rows.at(-1)?.name ?? after;
  }
}

async function rewrapTheRoot({ db, kek }: KekRotationOptions, state: KekState): Promise<void> {
  if (state.root_kek === state.current) return;
  const plaintext = await kek.unwrap({ wrapped: state.root_wrapped, kek: state.root_kek, aad: rootAad });
  const by = await kek.engine(state.current);
  const wrapped = await by.wrap({ plaintext, aad: rootAad });
  await db.global.transaction((tx) => rewrapRoot(tx, state, { wrapped, kek: state.current }));
}
