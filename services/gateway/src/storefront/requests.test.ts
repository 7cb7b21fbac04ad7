import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { expect, test } from "vitest";
import { type PaidRoute, routeAt, shopAt, targetOf } from "../offers/index.ts";
import { parseOffers } from "../offers/offers-file.ts";
import { readRequest } from "./requests.ts";

async function paidRoute(): Promise<PaidRoute> {
  const id = newId("merchant");
  const key = generateJwk("ES256");
  const merchant = {
    id,
    tenant: newId("tenant"),
    origin: "http://shop.test",
    client_id: newId("client"),
    keys: { assertion: key, dpop: key, offer: key },
  };
  const route = {
    id: "query",
    merchant: id,
    method: "POST",
    path: "/query",
    upstream: "http://127.0.0.1:3900",
    amount_minor: 1000,
    currency: "USD",
    name: "A query",
    sku: "query-1",
  };
  const bytes = Buffer.from(JSON.stringify({ merchants: [merchant], routes: [route] }));
  const offers = await parseOffers(bytes, () => Promise.reject(new Error("no key files")));
  const sold = routeAt(shopAt(offers, "shop.test"), "POST", "/query");
  if (sold.gate !== "paid") throw new Error("the route is sold");
  return sold;
}

test.each([
  ["of a declared length", "Content-Length: 100\r\n\r\nabc"],
  ["in chunks", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
])("a buyer that hangs up within a body %s is refused as one, not as our fault", async (_, rest) => {
  const route = await paidRoute();
  const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
  const server = createServer((req) => {
    readRequest(req, route, targetOf(req.url ?? "")).then(resolve, resolve);
    req.once("data", () => socket.destroy());
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  // A server that listens on a port has an address of this shape.
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1", () => {
    socket.write(`POST /query HTTP/1.1\r\nHost: shop.test\r\n${rest}`);
  });
  const refused = await outcome;
  expect(refused).toBeInstanceOf(Problem);
  expect(refused).toMatchObject({ code: "invalid_request", status: 400, detail: "The body ended early." });
  await new Promise((closed) => server.close(closed));
});
