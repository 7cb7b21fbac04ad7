import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { newId } from "@remit/kernel";
import { parseChallenges } from "@remit/protocol";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Answer, createAgent, entryOf, merchantId, offerOf, startWorld, type World } from "./world.ts";

// Who asks for a price in the same bytes as somebody before is told it without being read again. What may go wrong with that.
let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(() => world.close());

beforeEach(async () => {
  await world.writeOffers();
  await world.gateway.reload();
  world.upstream.answer = (_, res) => void res.end("the report");
});

const head = (path: string, host = "shop.test"): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

type Said = { readonly status: number; readonly headers: Record<string, string>; readonly body: string };

/** One request on a connection of its own, in these bytes. */
function say(bytes: string): Promise<Said> {
  const { promise, resolve, reject } = Promise.withResolvers<Said>();
  const socket = connect({ port: Number(new URL(world.address).port), host: "127.0.0.1", noDelay: true });
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    received += text;
    const [top = "", ...rest] = received.split("\r\n\r\n");
    const body = rest.join("\r\n\r\n");
    const [line = "", ...lines] = top.split("\r\n");
    const headers = Object.fromEntries(
      lines.map((each): [string, string] => {
        const at = each.indexOf(": ");
        return [each.slice(0, at).toLowerCase(), each.slice(at + 2)];
      }),
    );
    if (rest.length === 0 || Buffer.byteLength(body) < Number(headers["content-length"] ?? 0)) return;
    socket.destroy();
    resolve({ status: Number(line.split(" ", 2)[1]), headers, body });
  });
  socket.on("error", reject);
  socket.write(bytes);
  return promise;
}

/** The same bytes until they are known, and once more. */
async function sayAgain(bytes: string): Promise<Said> {
  await say(bytes);
  return await say(bytes);
}

const asAnswer = ({ status, headers, body }: Said): Answer => ({ status, headers, body: Buffer.from(body) });
const amountIn = (said: Said): unknown => entryOf(asAnswer(said)).amount;
const idsIn = ({ headers }: Said): string[] =>
  parseChallenges([headers["www-authenticate"] ?? ""]).map(({ id }) => id);
const nonceIn = (said: Said): unknown => entryOf(asAnswer(said)).extra["merchant_nonce"];

test("the price that is told again is as good as the first: it is paid once, and what pays is always read", async () => {
  const again = asAnswer(await sayAgain(head("/demo/report")));
  expect(again.status).toBe(402);
  const paying = { headers: createAgent(world).pay(again) };
  const paid = await world.ask("/demo/report", paying);
  expect(paid).toMatchObject({ status: 200, body: Buffer.from("the report") });
  expect(await world.ask("/demo/report", paying)).toMatchObject({
    status: 200,
    headers: { "idempotent-replayed": "true" },
  });
  const lines = Object.entries(paying.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const stranger = head("/demo/report").replace(/\r\n$/, `${lines.join("")}X-A: b\r\n\r\n`);
  expect(await sayAgain(stranger)).toMatchObject({ status: 200 });
  expect(world.upstream.requests).toHaveLength(1);
});

test("no two who ask get the same challenge, nonce or id of their request", async () => {
  await say(head("/demo/report"));
  const all = await Promise.all(Array.from({ length: 50 }, () => say(head("/demo/report"))));
  expect(all.every(({ status }) => status === 402)).toBe(true);
  expect(new Set(all.flatMap(idsIn)).size).toBe(50);
  expect(new Set(all.map(nonceIn)).size).toBe(50);
  const requestIds = all.map(({ headers }) => headers["x-request-id"]);
  expect(new Set(requestIds).size).toBe(50);
  for (const { body, headers } of all)
    expect(JSON.parse(body)).toMatchObject({ status: 402, request_id: headers["x-request-id"] });
});

test("is told as of now: each second a fresh offer, and a changed price with the very next request", async () => {
  const first = await sayAgain(head("/demo/report"));
  world.clock.advance(1_100);
  const later = await say(head("/demo/report"));
  expect(offerOf(entryOf(asAnswer(later)))).not.toBe(offerOf(entryOf(asAnswer(first))));
  expect(amountIn(later)).toBe("1000");
  await world.writeOffers({ amountMinor: 2500 });
  await world.gateway.reload();
  for (let times = 0; times < 3; times++) expect(amountIn(await say(head("/demo/report")))).toBe("2500");
});

test("what is no longer for sale is refused with the very next request", async () => {
  await sayAgain(head("/demo/report"));
  const offers = JSON.parse(await readFile(world.offersFile, "utf8")) as { routes: { path: string }[] }; // written above
  const routes = offers.routes.filter((route) => route.path !== "/demo/report");
  await writeFile(world.offersFile, JSON.stringify({ ...offers, routes }));
  await world.gateway.reload();
  expect(await say(head("/demo/report"))).toMatchObject({ status: 404 });
});

test("another merchant's host has prices of its own, and never the first one's", async () => {
  await sayAgain(head("/demo/report"));
  expect(await sayAgain(head("/demo/report", "other.test"))).toMatchObject({ status: 421 });
  const text = await readFile(world.offersFile, "utf8");
  type File = { readonly merchants: object[]; readonly routes: object[] };
  const offers = JSON.parse(text) as File; // written by the world
  const other = { id: newId("merchant"), tenant: newId("tenant"), origin: "http://other.test" };
  const theirs = { ...offers.routes[0], id: "theirs", merchant: other.id, amount_minor: 7 };
  const merchants = [...offers.merchants, { ...offers.merchants[0], ...other }];
  await writeFile(
    world.offersFile,
    JSON.stringify({ ...offers, merchants, routes: [...offers.routes, theirs] }),
  );
  await world.gateway.reload();
  for (let times = 0; times < 3; times++) {
    const [mine, others] = await Promise.all(
      ["shop.test", "other.test"].map((host) => say(head("/demo/report", host))),
    );
    if (mine === undefined || others === undefined) throw new TypeError("both were asked");
    expect([amountIn(mine), amountIn(others)]).toEqual(["1000", "7"]);
    expect([entryOf(asAnswer(mine)).payTo, entryOf(asAnswer(others)).payTo]).toEqual([merchantId, other.id]);
  }
});
