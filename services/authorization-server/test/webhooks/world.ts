import { randomBytes } from "node:crypto";
import { type Id, newId } from "@remit/kernel";
import type { Follower } from "@remit/platform/jobs";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createOutbound, type OutboundOptions } from "@remit/platform/outbound";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database, TenantTx } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { type EventPayload, type EventType, newEvent, type RemitEvent } from "@remit/protocol";
import { eventually, type TestClock, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { createCourier } from "../../src/deliveries/courier.ts";
import { readOnce } from "../../src/deliveries/fan-out.ts";
import { migrations } from "../../src/service.ts";
import { createWebhookSecrets, type WebhookSecrets } from "../../src/webhooks/index.ts";
import { createWebhook } from "../../src/webhooks/webhooks.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./receiver.ts";

const actor = { type: "system", id: "test" } as const;

export type Ours = { readonly id: Id<"webhook">; readonly secret: string; readonly path: string };

/** Events, webhooks and whoever sends, with a clock that stands still, and one receiver. */
export type World = {
  readonly database: TestDatabase;
  readonly db: Database;
  readonly clock: TestClock;
  readonly receiver: WebhookReceiver;
  readonly tenant: Id<"tenant">;
  readonly secrets: WebhookSecrets;
  webhook(more?: { readonly url?: string; readonly events?: readonly string[] }): Promise<Ours>;
  /** Records events of one object, in one transaction. */
  happen(type?: EventType, more?: { subject?: string; payload?: EventPayload }): Promise<RemitEvent>;
  /** Reads the outbox until every event that has happened here has its deliveries. */
  fanOut(): Promise<void>;
  /** One more process that sends. */
  worker(more?: Partial<Parameters<typeof createCourier>[0]>): Follower;
  /** Sends what is due, and waits for the answers. */
  send(by?: Follower): Promise<void>;
  deliveries(webhook: string): Promise<Row[]>;
  close(): Promise<void>;
};

export type Row = {
  readonly id: string;
  readonly event_id: string;
  readonly status: string;
  readonly attempts: number;
  readonly next_at: Date | null;
  readonly response_status: number | null;
  readonly error: string | null;
};

export async function createWorld(
  more: { readonly outbound?: Partial<OutboundOptions>; readonly timeoutMs?: number } = {},
): Promise<World> {
  const database = await testDatabase({ service: "authorization_server", sources: migrations });
  const clock = testClock();
  const db = database.open({ record: recordToOutbox, poolMax: 12 });
  const receiver = await startWebhookReceiver();
  const log = createLog({ service: "test", level: process.env["TEST_LOG"] === "1" ? "debug" : "silent" });
  const allow = [receiver.host, ...(more.outbound?.allow ?? [])];
  const outbound = createOutbound({ log, ...more.outbound, allow });
  const keyring = createKeyring({ kek: kekOf(randomBytes(32)), clock });
  const secrets = createWebhookSecrets(keyring);
  const tenant = newId("tenant");
  await database.asAdmin(
    "insert into tenants (tenant_id, name, kind, created_at) values ($1, 'Ours', 'company', now())",
    [tenant],
  );
  await database.asAdmin(
    "insert into tenant_standings (tenant_id, created_at, changed_at) values ($1, now(), now())",
    [tenant],
  );
  const given = { db, clock, log, outbound, secrets, livemode: false, timeoutMs: more.timeoutMs };
  const deps = { ...given, besides: () => [] };
  const worker: World["worker"] = (other) =>
    createCourier({ ...deps, ...other }, { ask: () => undefined, leaseMs: 60_000 });
  const usual = worker();
  let made = 0;
  return {
    database,
    db,
    clock,
    receiver,
    tenant,
    secrets,
    worker,
    async webhook({ url, events = ["mandate.*"] } = {}) {
      made += 1;
      const path = `/w${made}`;
      const wanted = { name: "Ours", url: url ?? receiver.origin + path, events, active: true };
      const { webhook, secret } = await db
        .of(tenant)
        .transaction((tx: TenantTx) => createWebhook(secrets, tx, { ...wanted, actor, now: clock.now() }));
      return { id: webhook.id, secret, path };
    },
    async happen(type = "mandate.revoked", { subject = newId("mandate"), payload = {} } = {}) {
      const event = newEvent(type, { tenant, actor, subject, payload }, clock.now());
      await db.of(tenant).transaction((tx) => tx.record(event));
      return event;
    },
    // A reader waits for every open transaction of the cluster, which other tests share.
    fanOut: async () => {
      await eventually(async () => {
        await readOnce(deps);
        const left = await database.asAdmin(
          `select 1 from outbox o where not exists (
             select from outbox_cursors c where c.consumer = 'webhooks' and (o.xid, o.seq) <= (c.xid, c.seq)) limit 1`,
        );
        return left.length === 0;
      });
    },
    async send(by = usual) {
      await by.look();
      await by.drained?.();
    },
    deliveries: (webhook) =>
      database.asAdmin<Row>(
        `select id, event_id, status, attempts, next_at, response_status, error from webhook_deliveries
         where webhook_id = $1 order by id`,
        [webhook],
      ),
    close: async () => {
      await receiver.close();
      await outbound.close();
      await database.drop();
    },
  };
}
