import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** What every shop of this suite sells, and how often it was made: the count is what a payment must bring about once. */
export type Goods = {
  runs(path: string): number;
  make(path: string): Promise<{ readonly status: number; readonly body: string }>;
};

/** `/report` and `/sibling` cost the same; `/broken` never works; `/slow` outlasts a client that hangs up. */
export const paths = ["/report", "/sibling", "/broken", "/slow"] as const;

/** Costs what it used, as inference does. The most is below what `@x402/fetch` pays unasked. */
export const metered = {
  path: "/metered",
  tokens: 1_234_566,
  price: { unit: "mtok", unit_price: "0.50", ceiling_minor: 90, least_minor: 1 },
  ceilingAtomic: 900_000n,
  /** In whole cents, as every price by use is counted. */
  usedAtomic: 620_000n,
} as const;

const makingMs: Readonly<Record<string, number>> = { "/report": 30, "/sibling": 30, "/slow": 700 };

export function createGoods(): Goods {
  const runs = new Map<string, number>();
  return {
    runs: (path) => runs.get(path) ?? 0,
    make: async (path) => {
      const number = (runs.get(path) ?? 0) + 1;
      runs.set(path, number);
      await pause(makingMs[path] ?? 0);
      if (path === metered.path)
        return { status: 200, body: JSON.stringify({ number, usage: { total_tokens: metered.tokens } }) };
      if (path === "/broken") return { status: 500, body: JSON.stringify({ error: "broken" }) };
      return { status: 200, body: JSON.stringify({ goods: path, number }) };
    },
  };
}

export const listen = (server: Server): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });

/** The goods behind Remit: a plain server that knows nothing of payments. */
export async function openUpstream(goods: Goods): Promise<{ origin: string; close(): void }> {
  const server = createServer((request, response) => {
    void goods.make(new URL(request.url ?? "/", "http://shop").pathname).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });
  return { origin: await listen(server), close: () => server.closeAllConnections() };
}
