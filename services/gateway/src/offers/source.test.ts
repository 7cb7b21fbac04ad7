import { newId } from "@remit/kernel";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { routeAt, shopAt } from "./index.ts";
import { type OffersFault, OffersFileRefused, parseOffers } from "./offers-file.ts";

const id = newId("merchant");
const merchant = {
  id,
  tenant: newId("tenant"),
  origin: "http://shop.example",
  client_id: newId("client"),
  keys: { assertion: "key.json", dpop: "key.json", offer: "key.json" },
};
const route = (name: string): string => `
  - id: ${name}
    merchant: ${id}
    method: GET
    path: /${name}
    upstream: http://127.0.0.1:9000
    amount_minor: 25
    currency: USD
    name: Weather
    sku: weather`;
const key = Buffer.from(JSON.stringify(generateJwk("ES256")));
const head = `# What we sell\n${stringify({ merchants: [merchant] })}routes:`;
const read = (text: string | Uint8Array) => parseOffers(Buffer.from(text), async () => key);
const faultsOf = async (text: string | Uint8Array): Promise<readonly OffersFault[]> => {
  const error: unknown = await read(text).catch((refused: unknown) => refused);
  if (!(error instanceof OffersFileRefused)) throw new Error("it was not refused", { cause: error });
  return error.faults;
};
const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split("\n").length;

describe("offers in YAML", () => {
  test("a file in YAML sells what the same file in JSON does", async () => {
    const offers = await read(head + route("weather"));
    expect(routeAt(shopAt(offers, "shop.example"), "GET", "/weather").id).toBe("weather");
  });

  test.each<[string, (text: string) => string, string, string]>([
    ["a member nobody knows", (text) => text.replace("currency:", "curency:"), "curency", "Unrecognized"],
    [
      "a price in fractions",
      (text) => text.replace("amount_minor: 25", "amount_minor: 2.5"),
      "- id: weather",
      "",
    ],
    ["a currency nobody has", (text) => text.replace("USD", "XXX"), "- id: weather", "amount_minor"],
    ["a method nobody has", (text) => text.replace("GET", "FETCH"), "method: FETCH", "routes.0.method"],
    [
      "a route for requests that are sold",
      (text) => text + route("other").replace("/other", "/weather"),
      "- id: other",
      "same requests",
    ],
  ])("%s is told with its line and column", async (_what, bend, at, message) => {
    const text = bend(head + route("weather"));
    const [fault] = await faultsOf(text);
    expect(fault?.message).toContain(message);
    expect(fault?.spot?.line).toBe(lineOf(text, at));
    expect(fault?.spot?.column).toBe(5);
  });

  test("every fault is told at once", async () => {
    const text = head + route("a").replace("GET", "X") + route("b").replace("/b", "b").replace("GET", "Y");
    expect(await faultsOf(text)).toHaveLength(2);
  });

  test.each([
    ["a key twice", `${head}${route("a")}\n    path: /b`],
    ["an alias", `merchants: &m []\nroutes: *m`],
    ["a tag nobody knows", "merchants: !secret []\nroutes: []"],
    ["a bracket that is not closed", "merchants: [\nroutes: []"],
    ["JSON with a key twice", '{"merchants":[],"merchants":[],"routes":[]}'],
    ["JSON with a comma too many", '{"merchants":[],"routes":[],}'],
    ["bytes that are no text", Buffer.from([0x61, 0xff])],
    ["nothing", ""],
  ])("%s is refused", async (_what, text) => {
    expect((await faultsOf(text)).length).toBeGreaterThan(0);
  });

  test("JSON's faults have their places too", async () => {
    const [fault] = await faultsOf('{\n  "merchants": [],\n  "routes": [],\n  "offers": []\n}');
    expect(fault?.spot).toEqual({ line: 4, column: 3 });
  });
});
