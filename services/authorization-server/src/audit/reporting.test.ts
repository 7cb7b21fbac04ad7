import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
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

const services = path.resolve(import.meta.dirname, "../../..");

/** The kinds of events that a service's code names. */
async function kindsIn(service: string): Promise<EventType[]> {
  const folder = path.join(services, service, "src");
  const files = (await readdir(folder, { recursive: true })).filter((file) => /(?<!\.test)\.ts$/.test(file));
  const sources = await Promise.all(files.map((file) => readFile(path.join(folder, file), "utf8")));
  return eventTypeNames.filter((type) => sources.some((source) => source.includes(`"${type}"`)));
}

test.each([
  ["billing", 12],
  ["directory", 5],
] as const)(
  "every kind of event that %s records is one that it may report: one that is refused ends all that come after it",
  async (peer, fewest) => {
    const kinds = await kindsIn(peer);
    expect(kinds.length).toBeGreaterThanOrEqual(fewest);
    for (const kind of kinds) expect(reportedBy(peer, eventOf(kind)).type).toBe(kind);
  },
);

test("billing says what the card network disputes, and nothing of what a payer does", () => {
  expect(reportedBy("billing", eventOf("dispute.reported")).type).toBe("dispute.reported");
  expect(() => reportedBy("billing", eventOf("dispute.opened"))).toThrow("client_not_allowed");
});

test.each(["billing", "directory", "gateway"])(
  "%s cannot report what the authorization server owns",
  (peer) => {
    const owned = eventTypeNames.filter((type) =>
      // What anybody refuses of somebody's is theirs to say.
      /^(?!security\.key_mismatch)(account|agent|approval|charge|client|consent|key|mandate|receipt|security|session|setup_token|tenant|token)\./.test(
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
