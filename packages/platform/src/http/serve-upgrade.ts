import type { IncomingMessage, Server } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { Problem, toProblemJson } from "@remit/protocol";
import { countedByAddress, type Edge, openCall } from "./edge.ts";
import { countAll } from "./rate-limit.ts";
import { logRefusal, problemOf } from "./refusals.ts";
import type { Mount, UpgradeCall } from "./route.ts";

/** RFC 6455 §4.1. Another protocol that is offered (`h2c`) is declined by answering as if it were not. */
export const wantsWebSocket = ({ method, headers }: IncomingMessage): boolean =>
  method === "GET" &&
  (headers.upgrade ?? "")
    .toLowerCase()
    .split(/\s*,\s*/)
    .includes("websocket");

/** Hands connections that are to become WebSockets to the mount that takes them; a refusal is a whole answer. */
export function serveUpgrades(edge: Edge, server: Server, { upgrade, limit }: Mount): void {
  if (upgrade === undefined) return;
  server.on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    const call: UpgradeCall = { ...openCall(edge, req), raw: { req, socket, head } };
    // Whoever hangs up is no fault of ours, whoever listens by then.
    socket.on("error", () => socket.destroy());
    const serve = async (): Promise<void> => {
      if (edge.isDraining()) throw new Problem("unavailable", { headers: { "Retry-After": "1" } });
      const counted = countedByAddress(edge, { route: "upgrade", limit, open: true, call });
      if (counted.length > 0) await countAll(edge.counters, counted, call.now);
      await upgrade(call);
    };
    serve().catch((error: unknown) => refuse(edge, call, error));
  });
}

function refuse(edge: Edge, call: UpgradeCall, error: unknown): void {
  const problem = problemOf(error);
  logRefusal(call.log, problem);
  const { socket } = call.raw;
  if (!socket.writable) return void socket.destroy();
  const body = JSON.stringify(toProblemJson(problem, call.requestId, edge.options.origin));
  const headers = {
    ...edge.headers.api,
    ...problem.headers,
    "X-Request-Id": call.requestId,
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ""}`;
  socket.end(`${[status, ...lines].join("\r\n")}\r\n\r\n${body}`);
}
