import { describe, expect, test } from "vitest";
import { mcpUpstream, railsIn, routeLine, toolPrice, upstream } from "./flags.ts";

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

  test("a tool has a price or is free, each once", () => {
    expect(toolPrice("*=0.10", toolPrice("echo=free", toolPrice("search=0.05")))).toEqual([
      { tool: "search", gate: "paid", price: "0.05" },
      { tool: "echo", gate: "free" },
      { tool: "*", gate: "paid", price: "0.10" },
    ]);
    expect(routeLine("path=/mcp,tool=search,price=0.05")).toMatchObject([{ path: "/mcp", tool: "search" }]);
  });

  test.each(["search", "search=", "=0.05", "search=cheap", "a tool=1", "search=-1"])(
    "%s is no tool's price",
    (text) => {
      expect(() => toolPrice(text)).toThrow(/./);
    },
  );

  test("a tool twice is refused", () => {
    expect(() => toolPrice("a=1", toolPrice("a=2"))).toThrow("twice");
  });

  test("an MCP server's address has a path and nothing behind it", () => {
    expect(mcpUpstream("http://localhost:9000/mcp")).toEqual({
      origin: "http://localhost:9000",
      path: "/mcp",
    });
    for (const text of [
      "http://localhost:9000/mcp?x=1",
      "ws://localhost/mcp",
      "http://u@localhost/mcp",
      "mcp",
    ])
      expect(() => mcpUpstream(text)).toThrow(/./);
  });
});
