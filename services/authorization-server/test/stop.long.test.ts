import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { migrations } from "@remit/authorization-server";
import { eventually, startProcess, type TestDatabase, type TestProcess, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { adminSecret, freePort, principal, startWith } from "./running.ts";

const underWay = 200;
const together = 20;

let database: TestDatabase;
let dataDir: string;
let port: number;
let adminId: string;
let server: TestProcess | undefined;

beforeAll(async () => {
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  dataDir = await mkdtemp(path.join(tmpdir(), "remit-as-stop-"));
  port = await freePort();
  const origin = `http://localhost:${port}`;
  const setUp = await startWith(database, { issuer: origin, origin, port, dataDir });
  const made = await setUp.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
  });
  adminId = made.admin.clientId;
  await setUp.close();
  server = await startProcess({
    main: fileURLToPath(new URL("../src/main.ts", import.meta.url)),
    env: {
      NODE_ENV: "test",
      NODE_COMPILE_CACHE: path.join(tmpdir(), "remit-compile-cache"),
      DATABASE_URL: database.url,
      REMIT_ORIGIN: origin,
      REMIT_ISSUER: origin,
      REMIT_PORT: String(port),
      REMIT_SCHEMA: database.schema,
      REMIT_ROLE_APP: database.roles.app,
      REMIT_ROLE_RELAY: database.roles.relay,
      REMIT_ROLE_LOOKUP: database.roles.lookup,
      REMIT_DATA_DIR: dataDir,
      REMIT_BILLING_ORIGIN: "http://localhost:1",
      REMIT_DIRECTORY_ORIGIN: "http://localhost:1",
    },
    readyWhen: /listening/,
  });
});
afterAll(async () => {
  await server?.kill();
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
});

/** A request for a token that the server has taken and that has not ended: it said 100, and waits for the body. */
type UnderWay = { readonly socket: Socket; readonly said: () => string };

const body = new URLSearchParams({ grant_type: "client_credentials", scope: "agents:read" }).toString();

async function begin(): Promise<UnderWay> {
  const socket = connect(port, "localhost");
  let said = "";
  socket.on("data", (data: Buffer) => {
    said += data.toString("latin1");
  });
  socket.on("error", (error) => {
    said += `[${error.message}]`;
  });
  await once(socket, "connect");
  const basic = Buffer.from(`${adminId}:${adminSecret}`).toString("base64");
  const head = [
    "POST /oauth/token HTTP/1.1",
    `Host: localhost:${port}`,
    `Authorization: Basic ${basic}`,
    "Content-Type: application/x-www-form-urlencoded",
    `Content-Length: ${body.length}`,
    "Expect: 100-continue",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  await eventually(() => expect(said).toBe("HTTP/1.1 100 Continue\r\n\r\n"));
  return { socket, said: () => said };
}

/** Whether somebody who comes now is let in. */
const refused = (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "localhost");
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });

test("D10 told to stop while 200 requests are under way, each is answered, nobody new is let in, and it ends with 0", async () => {
  const requests = await Promise.all(Array.from({ length: underWay }, begin));
  const idle = connect(port, "localhost");
  await once(idle, "connect");
  const exited = server?.kill("SIGTERM");
  await eventually(async () => expect(await refused()).toBe(true));
  expect(requests.every(({ said }) => said().endsWith("Continue\r\n\r\n"))).toBe(true);
  // Not all at once: of 200 transactions begun together some are told to come again, drained or not (D04).
  for (let at = 0; at < underWay; at += together) {
    const some = requests.slice(at, at + together);
    const closed = some.map(async ({ socket }) => (socket.closed ? [] : once(socket, "close")));
    for (const { socket } of some) socket.write(body);
    await Promise.all(closed);
  }
  const statuses = requests.map(({ said }) => said().split("\r\n\r\n")[1]?.slice(0, 12));
  expect(statuses).toEqual(Array(underWay).fill("HTTP/1.1 200"));
  for (const { said } of requests) expect(said()).toContain('"access_token"');
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(idle.destroyed || idle.closed || idle.readableEnded).toBe(true);
  // What was answered stands in the log, each token by its own id.
  const [{ named } = { named: 0 }] = await database.asAdmin<{ named: number }>(
    `select count(distinct jti)::int as named
     from audit_rows, jsonb_array_elements_text(body::jsonb -> 'payload' -> 'jti') as jti where event = 'token.issued'`,
  );
  expect(named).toBe(underWay);
});
