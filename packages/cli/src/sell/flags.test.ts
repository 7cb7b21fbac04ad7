import { describe, expect, test } from "vitest";
import { railsIn, routeLine, upstream } from "./flags.ts";

describe("the flags of a sale", () => {
  test("a route line says path, methods, price, gate and, to its end, a summary", () => {
    expect(routeLine("path=/v1/*,methods=get|POST,price=0.05,gate=paid,summary=All of it, now")).toEqual([
      { path: "/v1/*", methods: ["GET", "POST"], price: "0.05", gate: "paid", summary: "All of it, now" },
    ]);
  });

  test.each([
    ["no path", "price=0.05"],
    ["a summary that swallows the path", "summary=free,path=/x"],
    ["a member twice", "path=/a,path=/b"],
    ["a member nobody knows", "path=/a,cost=1"],
    ["methods with commas", "path=/a,methods=GET,POST"],
    ["a gate nobody has", "path=/a,gate=open"],
    ["a price in words", "path=/a,price=cheap"],
    ["nothing", ""],
  ])("a route line with %s is refused", (_what, line) => {
    expect(() => routeLine(line)).toThrow(/./);
  });

  test("rails add up, and the seeds' word for a chain is understood", () => {
    expect(railsIn("mandate", railsIn("card,crypto,card"))).toEqual(["card", "x402", "mandate"]);
  });

  test.each(["cash", "card,,x402", ""])("%s names no rail", (text) => {
    expect(() => railsIn(text)).toThrow("card, x402, mandate");
  });

  test.each([
    "http://localhost:9000/x",
    "http://u@localhost:9000",
    "ftp://localhost",
    "localhost:9000",
    "http://h?q",
  ])("%s is no upstream", (text) => {
    expect(() => upstream(text)).toThrow(/./);
  });
});
