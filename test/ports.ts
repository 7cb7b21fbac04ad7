import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { portsOf } from "@remit/embedded";

/**
 * A port base that nothing on this machine uses now. Test files run side by side, so it is drawn by lot, and from below
 * the ports that the system itself hands out: there a connection of somebody else's can take one between look and use.
 */
export async function freeBase(): Promise<number> {
  for (;;) {
    const base = randomInt(200, 318) * 100;
    const { issuer, wallet, directory, billing, gateway, sandbox, chain } = portsOf(base);
    const metrics = [100, 102, 103, 104].map((distance) => base + distance);
    const all = [issuer, wallet, directory, billing, gateway, sandbox, chain, ...metrics];
    if ((await Promise.all(all.map(isFree))).every(Boolean)) return base;
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

/** One free port from below all bases. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 20_000);
    if (await isFree(port)) return port;
  }
}
