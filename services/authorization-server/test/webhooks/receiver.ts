import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

export type Told = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string };

/** How a receiver answers: a status, or whatever it wants to do with the response. */
export type Reply = number | ((response: ServerResponse, told: Told) => void);

/** Somebody who has registered a webhook: hears, and answers as it was told to; 204 otherwise. */
export type WebhookReceiver = {
  readonly origin: string;
  readonly host: string;
  readonly told: Told[];
  /** The next answers at a path. */
  answer(path: string, ...replies: readonly Reply[]): void;
  /** Every answer at a path from now on. */
  always(path: string, reply: Reply | undefined): void;
  at(path: string): Told[];
  /** Breaks off whatever was not answered. */
  dropAll(): void;
  close(): Promise<void>;
};

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const told: Told[] = [];
  const next = new Map<string, Reply[]>();
  const usual = new Map<string, Reply>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "";
      const heard = { path, headers: request.headers, body: Buffer.concat(chunks).toString("utf8") };
      told.push(heard);
      const reply = next.get(path)?.shift() ?? usual.get(path) ?? 204;
      if (typeof reply === "number") response.writeHead(reply).end();
      else reply(response, heard);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    origin: `http://localhost:${port}`,
    host: `localhost:${port}`,
    told,
    answer: (path, ...replies) => void next.set(path, [...replies]),
    always: (path, reply) => void (reply === undefined ? usual.delete(path) : usual.set(path, reply)),
    at: (path) => told.filter((heard) => heard.path === path),
    dropAll: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** As a receiver does with the public package of Standard Webhooks; throws when it is not what that secret signed. */
export const verified = (secret: string, { body, headers }: Told): Record<string, unknown> =>
  // The package takes headers as texts, and gives what JSON holds.
  new Webhook(secret).verify(body, headers as Record<string, string>) as Record<string, unknown>;
