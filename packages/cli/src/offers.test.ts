import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { newId } from "@remit/kernel";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { lintOffers } from "./offers.ts";

let folder: string;
let said: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "remit-lint-"));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  said = "";
  process.exitCode = undefined;
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  return () => {
    spy.mockRestore();
    process.exitCode = undefined;
  };
});

const merchant = newId("merchant");
const offersOf = (route: object): object => {
  const key = generateJwk("ES256");
  return {
    merchants: [
      {
        id: merchant,
        tenant: newId("tenant"),
        origin: "https://shop.example",
        client_id: newId("client"),
        keys: { assertion: key, dpop: key, offer: key },
      },
    ],
    routes: [
      {
        id: "report",
        merchant,
        method: "GET",
        path: "/report",
        upstream: "http://127.0.0.1:9000",
        amount_minor: 500,
        currency: "USD",
        name: "Report",
        sku: "report",
        ...route,
      },
    ],
  };
};
async function lint(name: string, contents: string): Promise<Record<string, unknown>> {
  const file = path.join(folder, name);
  await writeFile(file, contents);
  await lintOffers(file, { json: true });
  return JSON.parse(said) as Record<string, unknown>;
}

describe("remit offers lint", () => {
  test("a file that the gateway would take has nothing to mend", async () => {
    const found = await lint("good.json", JSON.stringify(offersOf({})));
    expect([found, process.exitCode]).toMatchObject([{ ok: true, routes: 1, faults: [] }, undefined]);
  });

  test.each<[string, object, string]>([
    ["a price of nothing", { amount_minor: 0 }, "amount_minor"],
    ["a member that nobody knows", { prise: 5 }, "prise"],
    ["a card without an account", { ways: [{ rail: "card", network_id: "p" }] }, "payments.stripe"],
  ])("%s is told with its place, and the exit code says so", async (_, route, why) => {
    const text = JSON.stringify(offersOf(route), null, 2);
    const found = await lint("bad.json", text);
    expect([found["ok"], process.exitCode]).toEqual([false, 1]);
    expect(JSON.stringify(found["faults"])).toContain(why);
  });

  test("YAML is read with its lines", async () => {
    const found = await lint("bad.yaml", "merchants: []\nroutes:\n  - id: 5\n");
    expect(found["faults"]).toEqual(expect.arrayContaining([expect.objectContaining({ line: 3 })]));
    expect(process.exitCode).toBe(1);
  });
});
