import { after, minuteMs, systemClock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createTickets } from "./tickets.ts";

const Content = z.strictObject({ email: z.string() });
const now = systemClock.now();
const of = { purpose: "sign-up", conversation: "abc", now, lifeMs: minuteMs };
const tickets = createTickets(new Uint8Array(32).fill(1));

describe("A17 a ticket is good where it was given, and nowhere else", () => {
  const text = tickets.seal(of, { email: "ada@example.com" });
  test("A17 it opens in its conversation, for its purpose, in its time", () => {
    expect(tickets.open({ ...of, text }, Content).content).toEqual({ email: "ada@example.com" });
    expect(Buffer.from(text, "base64url").toString("latin1")).not.toContain("ada");
  });

  test.each([
    ["another conversation", { conversation: "abd" }],
    ["another purpose", { purpose: "sign-in" }],
    ["a later time", { now: after(now, minuteMs) }],
    ["a changed byte", { text: `${text.slice(0, -2)}${text.endsWith("AA") ? "BB" : "AA"}` }],
    ["nothing", { text: "" }],
    ["something short", { text: "AAAA" }],
    ["one of another key", { text: createTickets(new Uint8Array(32)).seal(of, {}) }],
  ])("A17 with %s it is refused", (_what, wrong) => {
    expect(() => tickets.open({ ...of, text, ...wrong }, Content)).toThrow(Problem);
  });
});
