import { newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SaleRoute, Shop } from "./model.ts";
import { shopAt } from "./offers.ts";
import { parseOffers } from "./offers-file.ts";
import { isGuarded, routeAt } from "./route-table.ts";

const key = generateJwk("ES256");
const merchant = {
  id: newId("merchant"),
  tenant: newId("tenant"),
  origin: "http://shop.example",
  client_id: newId("client"),
  keys: { assertion: key, dpop: key, offer: key },
};

/** A shop of lines such as `paid GET /demo/report`. */
async function shopOf(...lines: readonly string[]): Promise<Shop> {
  const routes = lines.map((line, index) => {
    const [gate, method, path] = line.split(" ");
    const price = gate === "paid" ? { amount_minor: 1000 + index, currency: "USD" } : {};
    const id = line.replaceAll(/[^a-z0-9]+/gi, "-");
    const upstream = "http://127.0.0.1:3900";
    return { id, merchant: merchant.id, gate, method, path, upstream, name: id, sku: "s", ...price };
  });
  const bytes = Buffer.from(JSON.stringify({ merchants: [merchant], routes }));
  return shopAt(await parseOffers(bytes, () => Promise.reject(new Error("no files"))), "shop.example");
}

const textOf = ({ gate, method, pattern }: SaleRoute): string => `${gate} ${method} /${pattern.join("/")}`;

const at = (shop: Shop, method: string, path: string): string => {
  try {
    return textOf(routeAt(shop, method, path));
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};

describe("the route of a path", () => {
  test.each([
    ["/demo/report", "/demo/report", true],
    ["/demo/report", "/demo/report/", false],
    ["/demo/report", "/demo/Report", false],
    ["/demo/report", "/demo", false],
    ["/items/:id", "/items/7", true],
    ["/items/:id", "/items/", false],
    ["/items/:id", "/items/7/parts", false],
    ["/files/*", "/files/a/b", true],
    ["/files/*", "/files/a/", true],
    ["/files/*", "/files/", false],
    ["/files/*", "/files", false],
    ["/", "/", true],
  ])("%s against %s: %s", async (pattern, path, expected) => {
    const shop = await shopOf(`free GET ${pattern}`);
    expect(at(shop, "GET", path)).toBe(expected ? `free GET ${pattern}` : "route_not_offered");
  });

  test("is the most specific one, in whatever order they stand", async () => {
    const lines = ["free GET /*", "free GET /a/*", "free GET /a/:x", "paid GET /a/b", "free GET /:x/y"];
    for (const shop of [await shopOf(...lines), await shopOf(...lines.toReversed())]) {
      expect(at(shop, "GET", "/a/b")).toBe("paid GET /a/b");
      expect(at(shop, "GET", "/a/c")).toBe("free GET /a/:x");
      expect(at(shop, "GET", "/a/c/d")).toBe("free GET /a/*");
      expect(at(shop, "GET", "/c/y")).toBe("free GET /:x/y");
      expect(at(shop, "GET", "/c/d")).toBe("free GET /*");
    }
  });

  test("another method at a known path is 405, and no less guarded route steps in", async () => {
    const shop = await shopOf("paid GET /a/b", "free POST /a/*", "auth POST /c", "free GET /c");
    expect(at(shop, "POST", "/a/b")).toBe("method_not_allowed");
    expect(at(shop, "POST", "/a/c")).toBe("free POST /a/*");
    expect(at(shop, "GET", "/c")).toBe("free GET /c");
    expect(at(shop, "PUT", "/c")).toBe("method_not_allowed");
  });
});

describe("V12 a free route is no way around a paid one", () => {
  const spellings = ["/demo/report/", "/Demo/report", "/demo/REPORT", "/demo/report/x", "/DEMO/Report/a/b"];

  test.each(spellings)("V12 %s does not fall through to what takes everything", async (path) => {
    const shop = await shopOf("free GET /*", "free GET /:x/:y", "free GET /:x/:y/", "paid GET /demo/report");
    expect(at(shop, "GET", path)).toBe("route_not_offered");
    expect(at(shop, "GET", "/demo/other")).toBe("free GET /:x/:y");
  });

  test("V12 nor what a reader that decodes takes for a paid path", async () => {
    const shop = await shopOf(
      "free GET /*",
      "paid GET /users/@me",
      "paid GET /a,b/:x",
      "paid GET /caf%C3%A9",
    );
    const spelled = ["/users/%40me", "/users/%40ME", "/users/%40me/x", "/a%2cb/7", "/A%2Cb/7", "/CAF%c3%a9"];
    for (const path of spelled) {
      expect([path, at(shop, "GET", path)]).toEqual([path, "route_not_offered"]);
      expect([path, isGuarded(shop, path)]).toEqual([path, true]);
    }
    expect(at(shop, "GET", "/users/a%40b.example")).toBe("free GET /*");
    const encoded = await shopOf("free GET /*", "paid GET /users/%40me");
    expect(at(encoded, "GET", "/users/@me")).toBe("route_not_offered");
    const prices = await shopOf("paid GET /users/:id", "paid GET /users/@me");
    expect(at(prices, "GET", "/users/%40me")).toBe("route_not_offered");
  });

  test("V12 nor below a paid pattern with open segments, or an auth one", async () => {
    const shop = await shopOf("free GET /*", "paid GET /:shop/report", "auth GET /me/*");
    expect(at(shop, "GET", "/acme/report/")).toBe("route_not_offered");
    expect(at(shop, "GET", "/acme/Report")).toBe("route_not_offered");
    expect(at(shop, "GET", "/ME/orders")).toBe("route_not_offered");
    expect(at(shop, "GET", "/acme/prices")).toBe("free GET /*");
  });

  test("V12 what the seller opens by name below a paid prefix is open", async () => {
    const shop = await shopOf("paid GET /demo/*", "free GET /demo/sample", "free GET /demo/docs/*");
    expect(at(shop, "GET", "/demo/sample")).toBe("free GET /demo/sample");
    expect(at(shop, "GET", "/demo/docs/a")).toBe("free GET /demo/docs/*");
    expect(at(shop, "GET", "/demo/Sample")).toBe("paid GET /demo/*");
  });

  test("V12 whatever a lenient reader takes for a paid path is never free", async () => {
    const shop = await shopOf(
      "free GET /*",
      "free GET /:a/*",
      "paid GET /demo/report",
      "paid GET /x/:id/full",
    );
    const flip = fc.array(fc.boolean(), { minLength: 24, maxLength: 24 });
    const paid = fc.constantFrom("/demo/report", "/x/7/full");
    fc.assert(
      fc.property(paid, flip, fc.constantFrom("", "/", "/extra"), (path, up, tail) => {
        const spelled = path.replaceAll(/./g, (letter, index: number) =>
          up[index] === true ? letter.toUpperCase() : letter,
        );
        const found = at(shop, "GET", spelled + tail);
        expect(["route_not_offered", "paid GET /demo/report", "paid GET /x/:id/full"]).toContain(found);
      }),
    );
  });

  test("V12 no other spelling gets what is sold at its own price at another one", async () => {
    const shop = await shopOf("paid GET /*", "paid GET /submit", "paid GET /jobs/:id");
    for (const path of ["/Submit", "/submit/", "/JOBS/7", "/jobs/7/"])
      expect([path, at(shop, "GET", path)]).toEqual([path, "route_not_offered"]);
    expect(at(shop, "GET", "/submit/other")).toBe("paid GET /*");
    expect(at(shop, "GET", "/jobs/7/log")).toBe("paid GET /*");
  });

  test("V12 what may be read as a guarded path is known to be guarded", async () => {
    const shop = await shopOf(
      "free GET /open",
      "paid GET /demo/report",
      "paid GET /files/*",
      "auth GET /me/",
    );
    for (const path of ["/demo/report", "/demo/report/", "/Demo/Report/x", "/files/", "/FILES/a", "/me"])
      expect([path, isGuarded(shop, path)]).toEqual([path, true]);
    for (const path of ["/", "/demo", "/demo/reports", "/open", "/file"])
      expect([path, isGuarded(shop, path)]).toEqual([path, false]);
  });
});
