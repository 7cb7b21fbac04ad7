import { instantOf, newId } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { eventTypes, isEventType, newEvent } from "./events.ts";

describe("events", () => {
  const at = instantOf(1_764_000_000_000);
  const facts = {
    tenant: newId("tenant"),
    actor: { type: "agent", id: newId("agent") },
    subject: "mnd",
  } as const;

  test("what proves a mandate is kept for ten years, a charge for seven", () => {
    expect(newEvent("mandate.revoked", facts, at)).toMatchObject({ retention: "eidas-10y", version: 1, at });
    expect(newEvent("charge.captured", facts, at).retention).toBe("soc2-7y");
  });

  test("each event has its own id", () => {
    expect(newEvent("charge.held", facts, at).id).not.toBe(newEvent("charge.held", facts, at).id);
  });

  test("the catalogue is in order and knows nothing it inherits", () => {
    expect(Object.keys(eventTypes)).toEqual(Object.keys(eventTypes).sort());
    expect(isEventType("toString")).toBe(false);
  });
});
