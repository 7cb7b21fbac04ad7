import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { portsOf } from "@remit/embedded";

/** A port base that nothing on this machine uses now; test files run side by side, so it is drawn by lot. */
export async function freeBase(): Promise<number> {
  for (;;) {
    const base = randomInt(200, 600) * 100;
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
