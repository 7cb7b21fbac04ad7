import { setTimeout as pause } from "node:timers/promises";
import { Client, type ClientConfig, escapeIdentifier } from "pg";
import type { Log } from "../telemetry/index.ts";

const reconnectMs = 1_000;

export type ListenerOptions = { readonly session: ClientConfig; readonly log: Log | undefined };

/** Called with what a notification is about; with nothing when some may have been missed. */
export type Heard = (about?: string) => void;

export type Listener = {
  listen(channel: string, heard: Heard): () => void;
  close(): Promise<void>;
};

/**
 * One connection that listens for the whole process, opened with the first listener and opened again when it breaks.
 * After each connect every listener is called, since a notification may have been missed.
 */
export function openListener(options: ListenerOptions): Listener {
  const listeners = new Map<string, Set<Heard>>();
  const closing = new AbortController();
  let client: Client | undefined;
  /** One after the other: a connection has one conversation. */
  let asked: Promise<unknown> = Promise.resolve();
  const askFor = (of: Client, channel: string): Promise<unknown> => {
    asked = asked.catch(() => undefined).then(() => of.query(`listen ${escapeIdentifier(channel)}`));
    return asked;
  };
  let running: Promise<void> | undefined;

  const keepListening = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await session();
      await pause(reconnectMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
    }
  };

  const session = async (): Promise<void> => {
    const mine = new Client({ ...options.session, query_timeout: 0 });
    const broken = new Promise<void>((resolve) => {
      mine.on("error", () => resolve()).on("end", () => resolve());
    });
    mine.on("notification", ({ channel, payload }) => call(listeners.get(channel), payload));
    try {
      await mine.connect();
      client = mine;
      for (const [channel, heard] of listeners) {
        await askFor(mine, channel);
        call(heard);
      }
      if (closing.signal.aborted) return;
      await broken;
      if (!closing.signal.aborted) options.log?.warn({}, "the listening connection broke; we poll meanwhile");
    } catch (error) {
      options.log?.debug({ error }, "no listening connection; we poll meanwhile");
    } finally {
      client = undefined;
      await mine.end().catch(() => undefined);
    }
  };

  return {
    listen(channel, heard) {
      const mine = listeners.get(channel) ?? new Set();
      const first = mine.size === 0;
      mine.add(heard);
      listeners.set(channel, mine);
      running ??= keepListening();
      if (first && client !== undefined) askFor(client, channel).catch(() => undefined);
      return () => void mine.delete(heard);
    },
    async close() {
      closing.abort();
      await client?.end().catch(() => undefined);
      await running;
    },
  };
}

function call(heard: Iterable<Heard> | undefined, about?: string): void {
  for (const each of heard ?? []) each(about);
}
