import type { ServerResponse } from "node:http";
import type { Collection } from "./objects.ts";
import type { createVersions } from "./store.ts";

/** The watches that are open: each is sent what happens to its collection, a line for each event. */
export type Watches = {
  open(res: ServerResponse, collection: Collection, from: number): void;
  /** Tells all of them how far the world has come. */
  bookmark(): void;
  end(): void;
};

export function createWatches(versions: ReturnType<typeof createVersions>): Watches {
  const watches = new Set<{ res: ServerResponse; collection: Collection }>();
  return {
    open(res, collection, from) {
      const { store } = collection;
      res.writeHead(200, { "content-type": "application/json" });
      if (from < store.oldest()) {
        const message = `too old resource version: ${from} (${store.oldest()})`;
        const object = {
          kind: "Status",
          apiVersion: "v1",
          status: "Failure",
          message,
          reason: "Expired",
          code: 410,
        };
        return void res.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      }
      res.flushHeaders();
      const line = ({ type, object }: { type: string; object: unknown }): void =>
        void res.write(`${JSON.stringify({ type, object })}\n`);
      for (const event of store.events) if (event.version > from) line(event);
      const stop = store.onEvent(line);
      const entry = { res, collection };
      watches.add(entry);
      res.on("close", () => {
        stop();
        watches.delete(entry);
      });
    },
    bookmark() {
      for (const { res, collection } of watches) {
        const { kind, apiVersion } = collection;
        const object = { kind, apiVersion, metadata: { resourceVersion: String(versions.now()) } };
        res.write(`${JSON.stringify({ type: "BOOKMARK", object })}\n`);
      }
    },
    end() {
      for (const { res } of watches) res.end();
    },
  };
}
