import { newId, systemClock } from "@remit/kernel";
import { type EventType, eventTypeNames, newEvent, type RemitEvent } from "@remit/protocol";
import { expect, test } from "vitest";
import { reportedBy } from "./reporting.ts";

const eventOf = (type: EventType): RemitEvent =>
  newEvent(
    type,
    { tenant: newId("tenant"), actor: { type: "account", id: "acc" }, subject: "x", payload: { a: 1 } },
    systemClock.now(),
  );

test("what a peer reports is marked as its report", () => {
  expect(reportedBy("billing", eventOf("payment.captured")).payload).toEqual({
    a: 1,
    reported_by: "billing",
  });
  expect(reportedBy("directory", eventOf("merchant.verified")).payload["reported_by"]).toBe("directory");
});

test.each(["billing", "directory", "gateway"])(
  "%s cannot report what the authorization server owns",
  (peer) => {
    const owned = eventTypeNames.filter((type) =>
      /^(account|agent|approval|charge|client|consent|key|mandate|receipt|security|session|setup_token|tenant|token)\./.test(
        type,
      ),
    );
    expect(owned.length).toBeGreaterThan(20);
    for (const type of owned)
      expect(() => reportedBy(peer, eventOf(type)), type).toThrow("client_not_allowed");
  },
);

test("a client that is no peer of ours reports nothing", () => {
  for (const type of eventTypeNames)
    expect(() => reportedBy("cli_01", eventOf(type))).toThrow("client_not_allowed");
});
