import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "./index.ts";

/** A message of PostgreSQL's protocol: its kind, its length, what it says. */
function message(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

const welcome = message("R", Buffer.alloc(4));
const ready = message("Z", Buffer.from("I"));
const ended = message(
  "E",
  Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"),
);

let server: Server;
let port: number;
beforeAll(async () => {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(Buffer.concat([welcome, ready, ended])));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  port = (server.address() as AddressInfo).port; // a TCP server's
});
afterAll(() => server.close());

test("D01 a connection that the server ends in the packet that opens it is a refusal, and not the end of the process", async () => {
  const url = `postgres://nobody:secret@127.0.0.1:${port}/remit`;
  const db = openDatabase({ url, schema: "purses", relayRole: "relay" });
  await expect(db.ping()).rejects.toMatchObject({ code: "unavailable" });
  await db.close();
});
