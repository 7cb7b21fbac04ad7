import {
  closeSync,
  existsSync,
  fdatasync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  write,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const writeTo = promisify(write);
const syncTo = promisify(fdatasync);

/** An append-only file of JSON lines. What `append` has answered is on the disk and is read again at the next start. */
export type Journal = {
  append(line: unknown): Promise<void>;
  /** Resolves when everything appended so far is on the disk. */
  settled(): Promise<void>;
  close(): Promise<void>;
};

type Waiting = {
  readonly text: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
};

/** Reads the lines of a journal; a last line that was torn by a crash was never answered for and is cut off. */
export function readJournal(file: string): unknown[] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end < bytes.length) truncateSync(file, end);
  return bytes
    .subarray(0, end)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line));
}

export function openJournal(file: string): Journal {
  mkdirSync(path.dirname(file), { recursive: true });
  const handle = openSync(file, "a", 0o600);
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;

  /** Everything that waits goes out in one write and one sync: many requests share the disk's pace. */
  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await writeTo(handle, batch.map(({ text }) => text).join(""));
        await syncTo(handle);
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    flushing = undefined;
  };

  return {
    append: (line) =>
      new Promise((done, failed) => {
        waiting.push({ text: `${JSON.stringify(line)}\n`, done, failed });
        flushing ??= flush();
      }),
    settled: async () => flushing,
    close: async () => {
      await flushing;
      closeSync(handle);
    },
  };
}
