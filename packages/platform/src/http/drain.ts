import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "@remit/kernel";
import type { FastifyInstance } from "fastify";
import { settledWithin } from "../host/index.ts";

const giveUpMs = 25_000;
const stepMs = 50;

/**
 * Prepares for closing: the result waits for what is in flight, at most 25 s. Connections without a request are closed
 * soon, also those that never sent one (Node's own closeIdleConnections spares them) and those that fall idle late.
 */
export function prepareDrain(app: FastifyInstance, clock: Clock): () => Promise<void> {
  const quiet = quietSocketsOf(app.server);
  return async () => {
    const giveUpAt = clock.monotonicNs() + BigInt(giveUpMs) * 1_000_000n;
    const closed = app.close();
    while (!(await settledWithin(closed, stepMs))) {
      for (const socket of quiet) socket.destroy();
      if (clock.monotonicNs() >= giveUpAt) app.server.closeAllConnections();
    }
  };
}

/** The sockets that carry no request now. */
function quietSocketsOf(server: Server): ReadonlySet<Socket> {
  const quiet = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    quiet.add(socket);
    socket.once("close", () => quiet.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, res: ServerResponse) => {
    quiet.delete(socket);
    res.once("close", () => {
      if (!socket.destroyed) quiet.add(socket);
    });
  });
  return quiet;
}
