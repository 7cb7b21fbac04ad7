import { createServer } from "node:net";

/** Where each service answers: fixed distances from one base, so that instances run side by side. */
export type Ports = {
  readonly base: number;
  readonly issuer: number;
  readonly wallet: number;
  readonly directory: number;
  readonly billing: number;
  readonly gateway: number;
  readonly sandbox: number;
  readonly chain: number;
};

export const portBaseDefault = 3000;
const farthest = 901;

export function portsOf(base: number): Ports {
  if (!Number.isInteger(base) || base < 1024 || base + farthest > 65_535)
    throw new RangeError(`no port base: ${base} (1024 to ${65_535 - farthest})`);
  return {
    base,
    issuer: base,
    wallet: base + 1,
    directory: base + 2,
    billing: base + 3,
    gateway: base + 402,
    sandbox: base + 900,
    chain: base + 901,
  };
}

export const originOf = (port: number): string => `http://localhost:${port}`;

/** Metrics stand apart, on loopback: base + 100 + the service's own distance. */
export const metricsPortOf = (
  ports: Ports,
  service: "issuer" | "wallet" | "directory" | "billing" | "gateway",
): number => ports.base + 100 + { issuer: 0, wallet: 1, directory: 2, billing: 3, gateway: 4 }[service];

const otherBases = [13_000, 23_000, 33_000, 43_000];

/** The default base, or another whose ports are all free: for a demo that nobody told where to stand. */
export async function freePortBase(): Promise<number> {
  for (const base of [portBaseDefault, ...otherBases]) {
    const { base: _, ...ports } = portsOf(base);
    const free = await Promise.all(Object.values(ports).map(isFree));
    if (free.every(Boolean)) return base;
  }
  return portBaseDefault;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
