import { createServer } from "node:http";
import { type Id, type Instant } from "@remit/kernel";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createOutbound } from "@remit/platform/outbound";
import { openDatabase } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import type { NetworkDispute } from "@remit/protocol/contracts";
import { testClock } from "@remit/testkit";
import { settleTab } from "../../src/charges/settle-tab.ts";
import { actOn, type OpenDispute, openDispute, respond } from "../../src/disputes/disputes.operations.ts";
import { findDispute } from "../../src/disputes/disputes.sql.ts";
import { lookAfter } from "../../src/disputes/lost-money.ts";
import { openApi } from "./api.ts";
import { listening, reply, textOf } from "./billing.ts";
import type { Given } from "./charger.ts";
import { withDisputes } from "./doer.ts";
import { testKeys } from "./keys.ts";
import { type Mortality, mortalDatabase, mortalOutbound } from "./mortality.ts";
import { createRooms, recordingBy } from "./rooms.ts";

// A process that decides about money and dies at the step it is told: once a transaction is committed, or another service has
// answered. What it does in between leaves nothing behind. It does nothing by itself.

export type Deed =
  | { readonly do: "settle_tab"; readonly tenant: Id<"tenant">; readonly tab: Id<"tab"> }
  | { readonly do: "open_dispute"; readonly asked: OpenDispute }
  | { readonly do: "accept_dispute" | "reject_dispute"; readonly of: OfDispute }
  | { readonly do: "look_after_dispute"; readonly of: OfDispute }
  | { readonly do: "take_network_dispute"; readonly reported: NetworkDispute };
type OfDispute = { readonly tenant: Id<"tenant">; readonly dispute: Id<"dispute"> };

/** The time it is, and the how-manieth step from now is the last. */
export type Fate = { readonly now: Instant; readonly dieAt: number };

// The test that starts this process writes it.
const given = JSON.parse(process.env["CHARGER"] ?? "{}") as Given;
const clock = testClock();
const log = createLog({ service: "test", level: "error" });
const fate = { left: Number.POSITIVE_INFINITY };

const mortality: Mortality = {
  begin: () => undefined,
  step: async () => {
    fate.left -= 1;
    if (fate.left !== 0) return;
    process.kill(process.pid, "SIGKILL");
    await new Promise<never>(() => undefined);
  },
};

const { billing, directory, leaseMs } = given;
const db = mortalDatabase(
  openDatabase({
    url: given.url,
    schema: given.schema,
    relayRole: given.relayRole,
    poolMax: 4,
    ...recordingBy(clock),
  }),
  mortality,
);
const rooms = createRooms({
  db,
  clock,
  log,
  keys: testKeys(given.keys),
  keyring: createKeyring({ kek: kekOf(Buffer.from(given.kek, "base64url")), clock }),
  outbound: mortalOutbound(
    createOutbound({ allow: [billing, directory].map((at) => new URL(at).host), log }),
    mortality,
  ),
  billing,
  directory,
  leaseMs,
});
const { disputes } = withDisputes(rooms);
const shop = { type: "merchant", id: "shop" } as const;

async function disputeOf({ tenant, dispute }: OfDispute) {
  const found = await db.of(tenant).transaction((tx) => findDispute(tx, dispute));
  if (found === undefined) throw new Error("there is no such dispute");
  return found;
}

async function carryOut(deed: Deed): Promise<unknown> {
  switch (deed.do) {
    case "settle_tab":
      return settleTab(rooms.chargesDeps, deed.tenant, deed.tab);
    case "open_dispute":
      return openDispute(disputes, deed.asked);
    case "accept_dispute":
      return respond(disputes, await disputeOf(deed.of), { act: "accept", actor: shop });
    case "reject_dispute": {
      const answered = await respond(disputes, await disputeOf(deed.of), {
        act: "answer",
        actor: shop,
        answer: "It was sent.",
      });
      return actOn(disputes, answered, { act: "reject", actor: shop });
    }
    case "look_after_dispute":
      return lookAfter(disputes, deed.of);
    case "take_network_dispute":
      return disputes.network.take(deed.reported);
  }
}

const api = await openApi(rooms);
const server = createServer((request, response) => {
  void textOf(request).then(async (text) => {
    if (request.url === "/fate") {
      const { now, dieAt } = JSON.parse(text) as Fate; // what `mortals.ts` sends
      clock.set(now);
      fate.left = dieAt;
      return reply(response, 200, {});
    }
    const refused = await carryOut(JSON.parse(text) as Deed).then(
      () => undefined,
      (error: unknown) => String(Object(error).code ?? error),
    );
    return reply(response, refused === undefined ? 200 : 409, { refused: refused ?? null });
  });
});
process.stdout.write(`listens at ${api.origin} and ${await listening(server)}\n`);
