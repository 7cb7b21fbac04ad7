import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A service of ours that hears what it is told, and may be away for the next few requests. */
export type Told = {
  readonly origin: string;
  away: number;
  /** The bodies that were accepted there. */
  heard(path: string): readonly unknown[];
  close(): Promise<void>;
};

export async function startTold(): Promise<Told> {
  const accepted: { path: string; body: unknown }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const post = request.method === "POST";
      const isAway = post && told.away > 0;
      if (isAway) told.away -= 1;
      const text = Buffer.concat(chunks).toString();
      if (post && !isAway) accepted.push({ path: request.url ?? "", body: JSON.parse(text || "null") });
      response.writeHead(isAway ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  const told: Told = {
    origin: `http://localhost:${port}`,
    away: 0,
    heard: (path) => accepted.filter((one) => one.path === path).map(({ body }) => body),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return told;
}
