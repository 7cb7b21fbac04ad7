import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";

// Below those that the system hands out itself: there a connection of somebody else's can take one between look and use.
const from = 10_000;
const to = 20_000;
const slices = Math.max(2, Math.min(8, availableParallelism()));
const drawn = new Set<number>();

/** Test files that run side by side draw from ranges of their own: which of them this one has, from 0 on. */
export const sliceOfPorts = (): { readonly slice: number; readonly slices: number } => ({
  slice: Number(process.env["VITEST_POOL_ID"] ?? 0) % slices,
  slices,
});

/** A port that nothing uses, for what must know its own before it listens. None is drawn twice in one process. */
export async function freePort(): Promise<number> {
  const width = Math.floor((to - from) / slices);
  for (;;) {
    const port = from + sliceOfPorts().slice * width + randomInt(width);
    if (drawn.has(port)) continue;
    drawn.add(port);
    if (await isFreePort(port)) return port;
  }
}

export const isFreePort = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
