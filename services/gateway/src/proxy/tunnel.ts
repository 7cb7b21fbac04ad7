import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { minuteMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { passedDown, passedUp } from "./headers.ts";
import type { PassedRequest } from "./pass.ts";
import { admit, type Peer } from "./peer.ts";

/** A request to change the protocol, and the connection it came on. */
export type Upgrading = { readonly req: IncomingMessage; readonly socket: Duplex; readonly head: Buffer };

// With nothing moving in either direction; whoever wants to stay sends pings.
const idleMs = 2 * minuteMs;
const tunnelsMax = 1024;

/** How many are open, per upstream. */
const openTunnels = new WeakMap<Peer, number>();

/**
 * Opens the same kind of connection upstream and joins the two: what either side sends passes as it is, and when one ends
 * the other does (RFC 6455 §1.7: after the handshake there is nothing of HTTP left). An upstream that declines has its
 * refusal passed on. Resolves once the tunnel is over; a Problem says that nothing was answered yet.
 */
export async function tunnel(peer: Peer, request: PassedRequest, from: Upgrading): Promise<void> {
  admit(peer);
  const count = openTunnels.get(peer) ?? 0;
  if (count >= tunnelsMax) throw new Problem("upstream_unavailable", { headers: { "Retry-After": "1" } });
  openTunnels.set(peer, count + 1);
  try {
    await join(peer, request, from);
  } finally {
    openTunnels.set(peer, (openTunnels.get(peer) ?? 1) - 1);
  }
}

function join(peer: Peer, request: PassedRequest, { req, socket, head }: Upgrading): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { host, protocol, hostname, port } = new URL(peer.origin);
  const send = protocol === "https:" ? httpsRequest : httpRequest;
  const up = send({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port,
    path: request.target,
    method: "GET",
    agent: false,
    timeout: request.timeoutMs,
    headers: [
      "Host",
      host,
      "Connection",
      "Upgrade",
      "Upgrade",
      "websocket",
      ...passedUp(req.rawHeaders, request.added, request.withheld),
    ],
  });
  const onClose = (): void => void up.destroy();
  socket.once("close", onClose);
  up.on("timeout", () => up.destroy(new Problem("upstream_timeout", { private: { upstream: peer.origin } })));
  let begun = false;
  up.on("error", (cause) => {
    socket.off("close", onClose);
    if (begun) socket.destroy();
    if (socket.destroyed) return resolve();
    // Who is silent to an upgrade may well answer others.
    if (!(cause instanceof Problem)) peer.health.failed();
    reject(
      cause instanceof Problem
        ? cause
        : new Problem("upstream_failed", { private: { upstream: peer.origin }, cause }),
    );
  });
  up.on("upgrade", (answer, upward, upwardHead) => {
    begun = true;
    peer.health.answered();
    socket.write(headOf(answer, ["Connection: Upgrade", "Upgrade: websocket"]));
    socket.write(upwardHead);
    upward.write(head);
    both(socket, upward).then(resolve, resolve);
  });
  up.on("response", (answer) => {
    begun = true;
    peer.health.answered();
    decline(socket, answer).then(resolve, reject);
  });
  up.end();
  return promise;
}

/** Passes a refusal on; its length is told by the end of the connection. Resolves once that is closed. */
function decline(socket: Duplex, answer: IncomingMessage): Promise<void> {
  socket.write(headOf(answer, ["Connection: close"]));
  answer.on("error", () => socket.destroy());
  // Whether it ended well or broke off: there is nothing more to come.
  answer.once("close", () => socket.end());
  answer.pipe(socket);
  limitIdle(socket);
  return new Promise((resolve) => {
    socket.once("close", () => {
      answer.destroy();
      resolve();
    });
  });
}

function headOf(answer: IncomingMessage, added: readonly string[]): string {
  const passed = passedDown(answer.rawHeaders, { mayHaveTrailers: false });
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage ?? ""}`];
  for (let index = 0; index + 1 < passed.length; index += 2)
    lines.push(`${passed[index]}: ${passed[index + 1]}`);
  return `${[...lines, ...added].join("\r\n")}\r\n\r\n`;
}

/** Joins two connections until both are closed; whatever ends one ends the other. */
async function both(down: Duplex, up: Duplex): Promise<void> {
  const closed = [down, up].map(
    (side) => new Promise<void>((resolve) => void side.once("close", () => resolve())),
  );
  for (const [one, other] of [
    [down, up],
    [up, down],
  ] as const) {
    one.on("error", () => one.destroy());
    one.once("close", () => other.destroy());
    limitIdle(one);
    one.pipe(other);
  }
  await Promise.all(closed);
}

function limitIdle(side: Duplex): void {
  // Connections of node's servers and clients are sockets, plain or TLS.
  if ("setTimeout" in side)
    (side as Duplex & { setTimeout(ms: number, late: () => void): void }).setTimeout(idleMs, () =>
      side.destroy(),
    );
}
