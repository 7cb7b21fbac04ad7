import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A client's back-channel logout endpoint, which may answer badly, or let us wait. */
export type Receiver = {
  readonly uri: string;
  readonly host: string;
  readonly tokens: readonly string[];
  /** The statuses of the next answers; 200 when there is none. "never" keeps the request open. */
  answer(...next: readonly (number | "never")[]): void;
  /** Resolves once so many tokens have come. */
  heard(count: number): Promise<readonly string[]>;
  close(): Promise<void>;
};

export async function startReceiver(): Promise<Receiver> {
  const tokens: string[] = [];
  const waiting: { count: number; tell: () => void }[] = [];
  let answers: (number | "never")[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const status = answers.shift() ?? 200;
      tokens.push(new URLSearchParams(Buffer.concat(chunks).toString("utf8")).get("logout_token") ?? "");
      for (const { count, tell } of waiting) if (tokens.length >= count) tell();
      if (status !== "never") response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    uri: `http://localhost:${port}/logout`,
    host: `localhost:${port}`,
    tokens,
    answer: (...next) => {
      answers = [...next];
    },
    heard: (count) =>
      new Promise((resolve) => {
        const tell = (): void => resolve(tokens);
        if (tokens.length >= count) tell();
        else waiting.push({ count, tell });
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
