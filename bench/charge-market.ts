import { randomBytes } from "node:crypto";
import path from "node:path";
import { type Id, newId, systemClock } from "@remit/kernel";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createOutbound } from "@remit/platform/outbound";
import {
  type Database,
  migrate,
  openDatabase,
  platformMigrations,
  provision,
  rolePasswords,
} from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import {
  type Billing,
  type Charges,
  createCharges,
  type Merchant,
} from "../services/authorization-server/src/charges/index.ts";
import { migrations } from "../services/authorization-server/src/service.ts";
import { newKeys, testKeys } from "../services/authorization-server/test/charging/keys.ts";
import {
  createRooms,
  type Rooms,
  recordingBy,
} from "../services/authorization-server/test/charging/rooms.ts";
import {
  newAgent,
  shopOrigin,
  type TestAgent,
} from "../services/authorization-server/test/charging/world.ts";
import { type DatabaseProcesses, processesOf } from "./database-process.ts";

const poolMax = 10;

/** A payer, a payee and an agent on a database of their own, whose cluster lies in `directory`, and a billing that answers at once. */
export type Market = Rooms & {
  readonly keys: ReturnType<typeof testKeys>;
  readonly payer: Id<"tenant">;
  readonly payee: Id<"tenant">;
  readonly principal: Id<"account">;
  readonly operator: Id<"tenant">;
  readonly agent: TestAgent;
  readonly merchant: {
    readonly id: Id<"merchant">;
    readonly client: string;
    readonly offerKey: TestAgent["dpop"];
  };
  readonly charges: Charges;
  /** Who charges: the merchant's client. */
  readonly by: { readonly tenant: Id<"tenant">; readonly client: string };
  readonly admin: Database;
  readonly database: DatabaseProcesses;
  close(): Promise<void>;
};

/** Allows all, and never answers late. */
const allowing: Billing = {
  send: async (charge, verb) => ({ kind: "payment", payment: paymentOf(charge, verb) }),
  read: async () => ({ kind: "unknown" }),
};

const paymentOf = (charge: Parameters<Billing["send"]>[0], verb: Parameters<Billing["send"]>[1]) => ({
  id: charge.payment ?? newId("payment"),
  generation: charge.generation,
  state: verb === "capture" ? ("captured" as const) : ("authorized" as const),
  reference: `pi_${charge.id}`,
  capturedMinor: verb === "capture" ? charge.amount.units : 0n,
  refundedMinor: 0n,
  refunds: [],
  declineCode: undefined,
});

export async function openMarket(adminUrl: string, directory: string): Promise<Market> {
  const database = await provision({
    adminUrl,
    service: "authorization_server",
    passwords: rolePasswords(path.join(directory, "roles.json")),
    kekFingerprint: "bench",
  });
  const { schema, roles, ownerRole } = database;
  const sources = [platformMigrations, ...migrations];
  await migrate({ url: database.migrationUrl, ownerRole, schema, roles, sources });
  const clock = systemClock;
  const log = createLog({ service: "bench", level: "error" });
  const outbound = createOutbound({ allow: [], log });
  const db = openDatabase({
    url: database.url,
    schema,
    relayRole: roles.relay,
    poolMax,
    waitMsMax: 60_000,
    ...recordingBy(clock),
  });
  const keys = testKeys(newKeys());
  const keyring = createKeyring({ kek: kekOf(randomBytes(32)), clock });
  const nowhere = "http://127.0.0.1:9";
  const rooms = createRooms({
    db,
    clock,
    log,
    keys,
    keyring,
    outbound,
    billing: nowhere,
    directory: nowhere,
  });
  const operator = newId("tenant");
  const payee = newId("tenant");
  const merchant = {
    id: newId("merchant"),
    client: newId("client"),
    offerKey: generateJwk("ES256", "offer-1"),
  };
  const known: Merchant = {
    ...merchant,
    tenant: payee,
    origin: shopOrigin,
    name: "Shop",
    keys: [publicJwkOf(merchant.offerKey)],
    categories: ["books"],
    currencies: ["EUR"],
    rails: ["card"],
    verified: true,
  };
  const ofClient = async (): Promise<Merchant> => known;
  const merchants = { ofClient, again: ofClient };
  const chargesDeps = { ...rooms.chargesDeps, billing: allowing, merchants };
  const charges = createCharges(chargesDeps);
  const admin = openDatabase({
    url: adminUrl,
    schema,
    relayRole: roles.relay,
    poolMax: 1,
    statementMsMax: 600_000,
  });
  return {
    ...rooms,
    keys,
    chargesDeps,
    charges,
    by: { tenant: payee, client: merchant.client },
    admin,
    database: processesOf(path.join(directory, "postgres")),
    payer: newId("tenant"),
    payee,
    principal: newId("account"),
    operator,
    merchant,
    agent: await newAgent(db, { operator, clock }),
    close: async () => {
      await outbound.close();
      await admin.close();
      await db.close();
    },
  };
}
