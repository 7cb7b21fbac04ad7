import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { approvalsOf, askPerson, openWallet, pollPerson, type Wallet } from "./asking.ts";
import { type Answer, metadataFor, newClient, OAuthClient, register, setupToken } from "./client.ts";
import { freePort, newKeys, type Running, startServer } from "./running.ts";

type Heard = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string };

let running: Running;
let wallet: Wallet;
let agent: OAuthClient;
let receiver: Server;
let origin: string;
let heard: Heard[] = [];
/** What the receiver answers next; 204 once there is nothing here. */
let answers: { status: number; headers?: Record<string, string> }[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      heard.push({ path: request.url ?? "", headers: request.headers, body });
      const { status, headers } = answers.shift() ?? { status: 204 };
      response.writeHead(status, headers).end();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => receiver.listen(port, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${port}`;
  running = await startServer({ tenantOutboundAllow: [`127.0.0.1:${port}`] });
  wallet = await openWallet(running);
  const keys = newKeys();
  const registered = await registerAt(`${origin}/heard`, keys);
  agent = new OAuthClient(running, String(registered.body["client_id"]), keys);
});
afterEach(() => {
  heard = [];
  answers = [];
});
afterAll(async () => {
  await running.close();
  await new Promise((resolve) => receiver.close(resolve));
});

async function registerAt(endpoint: string, keys = newKeys()): Promise<Answer> {
  const asked = {
    backchannel_token_delivery_mode: "ping",
    backchannel_client_notification_endpoint: endpoint,
  };
  return register(running, await setupToken(running, "agent"), metadataFor(keys, asked));
}
const token = "8d67dc78-7faa-4d41-aabd-67707b374255";

async function answer(verb: "approve" | "deny"): Promise<Answer> {
  const [waiting] = await approvalsOf(wallet, "pending");
  return wallet.send({ method: "POST", path: `/api/v1/approvals/${String(waiting?.["id"])}/${verb}` });
}

test("CIBA ping: the answer is told at the registered address with the agent's own token, and fetched by a poll", async () => {
  const asked = await askPerson(agent, { client_notification_token: token });
  expect(asked.status).toBe(200);
  await answer("approve");
  await eventually(() => expect(heard).toHaveLength(1));
  expect(heard[0]).toMatchObject({
    path: "/heard",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  expect(JSON.parse(heard[0]?.body ?? "")).toEqual({ auth_req_id: asked.body["auth_req_id"] });
  expect((await pollPerson(agent, asked)).body["mandate_jwt"]).toMatch(/~$/);
});

test("CIBA ping: a receiver that fails or sends elsewhere is told again, and nothing is sent elsewhere (W03)", async () => {
  answers = [{ status: 302, headers: { location: `${origin}/elsewhere` } }, { status: 503 }];
  await askPerson(agent, { client_notification_token: token });
  await answer("deny");
  await eventually(() => expect(heard).toHaveLength(3));
  expect(new Set(heard.map(({ path }) => path))).toEqual(new Set(["/heard"]));
  expect(await running.database.asAdmin("select queue from dead_jobs")).toEqual([]);
});

test("CIBA ping: an answer that was fetched before it was told is not told any more", async () => {
  answers = [{ status: 503 }];
  const asked = await askPerson(agent, { client_notification_token: token });
  await answer("approve");
  await eventually(() => expect(heard).toHaveLength(1));
  expect((await pollPerson(agent, asked)).status).toBe(200);
  await eventually(async () =>
    expect(await running.database.asAdmin("select 1 from jobs where queue = 'ciba.ping'")).toEqual([]),
  );
  expect(heard).toHaveLength(1);
});

test("W01 CIBA ping: an address that we would not call is refused at registration", async () => {
  for (const endpoint of [
    "http://127.0.0.1:9/",
    "https://10.0.0.1/",
    "http://ping.example/",
    "ftp://ping.example/",
  ])
    expect(await registerAt(endpoint)).toMatchObject({
      status: 400,
      body: { code: "invalid_client_metadata" },
    });
});

test("CIBA ping: without a token to be told with, or with one that is none, nothing is asked", async () => {
  for (const more of [
    {},
    { client_notification_token: "a b" },
    { client_notification_token: "x".repeat(1025) },
  ]) {
    const asked = await askPerson(agent, more);
    expect(asked).toMatchObject({ status: 400, body: { error: "invalid_request" } });
  }
  expect(await approvalsOf(wallet, "pending")).toEqual([]);
});

test("CIBA poll: a token that nobody needs is no reason to call anybody", async () => {
  const quiet = await newClient(running, "agent");
  const asked = await askPerson(quiet, { client_notification_token: token });
  await answer("approve");
  expect((await pollPerson(quiet, asked)).status).toBe(200);
  expect(await running.database.asAdmin("select 1 from jobs where queue = 'ciba.ping'")).toEqual([]);
});
