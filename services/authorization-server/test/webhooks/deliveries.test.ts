import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { gzipSync } from "node:zlib";
import { dayMs, hourMs, type Id, minuteMs, newId, secondMs, systemClock } from "@remit/kernel";
import { type Caller, platformTenant } from "@remit/platform/http";
import type { Follower } from "@remit/platform/jobs";
import { type EventType, newEvent } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { outcomeOf, retryAfterOf } from "../../src/deliveries/deliveries.ts";
import { replayOne, replayRange } from "../../src/deliveries/log.ts";
import { sweep } from "../../src/deliveries/sweep.ts";
import { changeOrganization } from "../../src/organizations/organizations.ts";
import { rotateSecret } from "../../src/webhooks/webhooks.ts";
import { verified } from "./receiver.ts";
import { createWorld, type Ours, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
  // Names that lead nowhere on this machine, but for one that is public when it is asked for first and ours from then on.
  plain = await listen(createServer((socket) => socket.on("error", () => undefined).end()));
  world = await createWorld({
    outbound: {
      allow: [`localhost:${portOf(plain)}`],
      resolve: async (name) => {
        asked += 1;
        const address = name === "rebinding.example" && asked > 1 ? "127.0.0.1" : "93.184.215.14";
        return [{ address, family: 4 }];
      },
    },
  });
});
afterAll(async () => {
  await world?.close();
  plain?.close();
});
let plain: Server;
let asked = 0;
const listen = async (server: Server): Promise<Server> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
};
const portOf = (server: Server): number => (server.address() as AddressInfo).port; // it listens on a port
// What one test leaves pending is nothing to the next.
beforeEach(async () => {
  await world.database.asAdmin("delete from webhooks");
  await world.database.asAdmin("delete from webhook_lanes");
  await world.database.asAdmin("delete from webhook_deliveries");
});

const pauses = [
  5_000,
  minuteMs,
  5 * minuteMs,
  15 * minuteMs,
  hourMs,
  4 * hourMs,
  12 * hourMs,
  24 * hourMs,
  24 * hourMs,
];
const by = (): { actor: { type: "system"; id: string }; now: ReturnType<World["clock"]["now"]> } => ({
  actor: { type: "system", id: "test" },
  now: world.clock.now(),
});

/** The one event of a test, delivered as far as it goes now. */
async function tell(ours: Ours, by?: Follower): Promise<string> {
  const event = await world.happen();
  await world.fanOut();
  await world.send(by);
  expect((await world.deliveries(ours.id)).map((row) => row.event_id)).toContain(event.id);
  return event.id;
}
const onlyOne = async (ours: Ours, event: string) => {
  const found = (await world.deliveries(ours.id)).filter((row) => row.event_id === event);
  expect(found).toHaveLength(1);
  return found[0] as NonNullable<(typeof found)[0]>; // it has just been counted
};
const eventsOf = async (ours: Ours): Promise<string[]> =>
  (
    await world.database.asAdmin<{ type: string }>(
      "select type from outbox where subject = $1 and type <> 'webhook.created' order by xid, seq",
      [ours.id],
    )
  ).map(({ type }) => type);

describe("W11 what an answer means", () => {
  test("W11 500 ten times: tried by the schedule, then a dead letter of which the operator is told once, and a replay delivers it", async () => {
    const ours = await world.webhook();
    world.receiver.always(ours.path, 500);
    const event = await tell(ours);
    for (const [index, pause] of pauses.entries()) {
      const before = await onlyOne(ours, event);
      expect(before).toMatchObject({ status: "pending", attempts: index + 1, response_status: 500 });
      const waits = Number(before.next_at) - world.clock.now();
      expect(Math.abs(waits - pause)).toBeLessThanOrEqual(pause * 0.1);
      world.clock.advance(waits - 1);
      await world.send();
      expect(world.receiver.at(ours.path)).toHaveLength(index + 1);
      world.clock.advance(1);
      await world.send();
    }
    expect(await onlyOne(ours, event)).toMatchObject({ status: "dead_letter", attempts: 10, next_at: null });
    await tell(ours);
    expect(await eventsOf(ours)).toEqual(["webhook.dead_lettered"]);
    expect(new Set(world.receiver.at(ours.path).map(({ headers }) => headers["webhook-id"])).size).toBe(2);
    world.receiver.always(ours.path, undefined);
    const { id } = await onlyOne(ours, event);
    const named = { webhook: ours.id, delivery: id as Id<"delivery"> };
    await world.db.of(world.tenant).transaction((tx) => replayOne(tx, named, by()));
    await world.send();
    expect(await onlyOne(ours, event)).toMatchObject({
      status: "delivered",
      attempts: 11,
      response_status: 204,
    });
  });

  test("W11 410: the webhook is disabled, told of by event and letter, and gets nothing more until it is turned on", async () => {
    const ours = await world.webhook();
    world.receiver.always(ours.path, 410);
    const event = await tell(ours);
    expect(await onlyOne(ours, event)).toMatchObject({ status: "dead_letter", response_status: 410 });
    const [row] = await world.database.asAdmin(
      "select active, disabled_because from webhooks where id = $1",
      [ours.id],
    );
    expect(row).toEqual({ active: false, disabled_because: "gone" });
    expect(await eventsOf(ours)).toEqual(["webhook.dead_lettered", "webhook.disabled"]);
    expect(await world.database.asAdmin("select payload from jobs where key = $1", [ours.id])).toEqual([
      { payload: { tenant: world.tenant, webhook: ours.id } },
    ]);
    await world.happen();
    await world.fanOut();
    await world.send();
    expect(world.receiver.at(ours.path)).toHaveLength(1);
  });

  test.each([429, 503])(
    "W11 %s with Retry-After: nothing at all is sent there before its time",
    async (status) => {
      const ours = await world.webhook();
      world.receiver.answer(
        ours.path,
        (response) => void response.writeHead(status, { "retry-after": "120" }).end(),
      );
      const event = await tell(ours);
      expect(Number((await onlyOne(ours, event)).next_at)).toBe(world.clock.now() + 120_000);
      await world.happen();
      await world.fanOut();
      world.clock.advance(119_000);
      await world.send();
      expect(world.receiver.at(ours.path)).toHaveLength(1);
      world.clock.advance(1_000);
      await world.send();
      await world.send();
      expect(world.receiver.at(ours.path)).toHaveLength(3);
      expect((await world.deliveries(ours.id)).map((row) => row.status)).toEqual(["delivered", "delivered"]);
    },
  );

  test("W11 a receiver that fails for five days is disabled, whatever it is sent; one good answer begins anew", async () => {
    const ours = await world.webhook();
    const active = async (): Promise<unknown> =>
      (await world.database.asAdmin("select active from webhooks where id = $1", [ours.id]))[0]?.["active"];
    world.receiver.always(ours.path, 500);
    await tell(ours);
    world.clock.advance(5 * dayMs - minuteMs);
    await tell(ours);
    expect(await active()).toBe(true);
    world.receiver.always(ours.path, undefined);
    await tell(ours);
    world.receiver.always(ours.path, 500);
    await tell(ours);
    world.clock.advance(5 * dayMs - minuteMs);
    await tell(ours);
    expect(await active()).toBe(true);
    world.clock.advance(2 * minuteMs);
    await tell(ours);
    expect(await active()).toBe(false);
    expect((await eventsOf(ours)).filter((type) => type === "webhook.disabled")).toHaveLength(1);
  });

  test("W11 Retry-After is seconds or a date, and a day at most", () => {
    const now = world.clock.now();
    expect(retryAfterOf("120", now)).toBe(120_000);
    expect(retryAfterOf("0", now)).toBe(0);
    expect(retryAfterOf("99999999", now)).toBe(dayMs);
    expect(retryAfterOf("Wed, 21 Oct 2015 07:28:00 GMT", now)).toBe(0);
    for (const text of [undefined, "", "soon", "-5", "1e9"]) expect(retryAfterOf(text, now) ?? 0).toBe(0);
    // Of others than 429 and 503 it says nothing about when to come again.
    const answer = { status: 500, retryAfter: "86400" };
    expect(outcomeOf(answer, { round: 1, now }, () => 0)).toMatchObject({
      nextAt: now + 5 * secondMs,
      heldUntil: undefined,
    });
  });
});

const bomb = gzipSync(Buffer.alloc(1 << 22));

describe("what a receiver may do to us", () => {
  test("W03 a redirect is a failure and is not followed", async () => {
    const ours = await world.webhook();
    const location = "http://169.254.169.254/latest/meta-data/";
    world.receiver.answer(ours.path, (response) => void response.writeHead(302, { location }).end());
    const event = await tell(ours);
    expect(await onlyOne(ours, event)).toMatchObject({
      status: "pending",
      response_status: 302,
      error: null,
    });
  });

  test.each<[string, string]>([
    ["a private address", "https://10.0.0.1/"],
    ["an address within an address", "https://[::ffff:10.0.0.1]/"],
    ["metadata of a cloud", "https://169.254.169.254/"],
    ["a decimal address", "https://2130706433/"],
    ["http", "http://hooks.example/"],
    ["a port of Redis", "https://hooks.example:6379/"],
  ])("W01 W04 %s is refused at each attempt, however it came to be written down", async (_, url) => {
    const ours = await world.webhook({ url });
    const event = await tell(ours);
    expect(await onlyOne(ours, event)).toMatchObject({
      status: "pending",
      error: "address_refused",
      response_status: null,
    });
  });

  test("W02 a name that leads outside when it is registered, and inside when it is called, is not called", async () => {
    const inside = await listen(createServer(() => expect.unreachable("somebody inside was called")));
    asked = 1;
    const ours = await world.webhook({ url: `https://rebinding.example:${portOf(inside)}/` });
    const event = await tell(ours);
    expect(await onlyOne(ours, event)).toMatchObject({ status: "pending", error: "address_refused" });
    inside.close();
  });

  test.each<[string, string | null, number | null, (response: ServerResponse) => void]>([
    ["never answers", "timeout", null, () => undefined],
    [
      "begins and never ends",
      "timeout",
      null,
      (response) => {
        response.writeHead(200).write("slow");
      },
    ],
    [
      "answers with more than 64 KiB",
      "response_too_large",
      200,
      (response) => {
        response.writeHead(200);
        const more = (): boolean => response.write(Buffer.alloc(1 << 16, 97)) && more();
        response.on("drain", more).on("error", () => undefined);
        more();
      },
    ],
    [
      "answers with a bomb",
      "response_encoded",
      200,
      (response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
    ],
    ["breaks off", "no_answer", null, (response) => void response.destroy()],
  ])("W06 one that %s has failed, within its time", async (_, error, status, reply) => {
    const ours = await world.webhook();
    world.receiver.answer(ours.path, reply);
    const hasty = error === "timeout" ? world.worker({ timeoutMs: 200 }) : undefined;
    const event = await tell(ours, hasty);
    expect(await onlyOne(ours, event)).toMatchObject({ status: "pending", error, response_status: status });
    const [attempt] = await world.database.asAdmin<{
      error: string;
      duration_ms: number;
      response_body: string | null;
    }>("select error, duration_ms, response_body from webhook_attempts where delivery_id = $1", [
      (await onlyOne(ours, event)).id,
    ]);
    expect(attempt).toMatchObject({ error, response_body: null });
  });

  test("W06 one whose TLS is none has failed", async () => {
    const ours = await world.webhook({ url: `https://localhost:${portOf(plain)}/` });
    const event = await tell(ours);
    expect(await onlyOne(ours, event)).toMatchObject({ status: "pending", error: "no_answer" });
  });

  test("the first KiB of an answer is kept as text, whatever its bytes are", async () => {
    const ours = await world.webhook();
    const bytes = Buffer.concat([Buffer.from([0, 255, 0]), Buffer.alloc(3_000, "a")]);
    world.receiver.answer(ours.path, (response) => void response.writeHead(500).end(bytes));
    const event = await tell(ours);
    const [attempt] = await world.database.asAdmin<{ response_body: string }>(
      "select response_body from webhook_attempts where delivery_id = $1",
      [(await onlyOne(ours, event)).id],
    );
    expect(attempt?.response_body).toBe(`\ufffd\ufffd\ufffd${"a".repeat(1021)}`);
  });

  test("W07 those who answer are told at once while one in ten hangs, and each of those holds one place", async () => {
    const all = await Promise.all(
      Array.from({ length: 40 }, () => world.webhook({ events: ["agent.suspended"] })),
    );
    const hanging = all.filter((_, index) => index % 10 === 0);
    const healthy = all.filter((_, index) => index % 10 !== 0);
    for (const { path } of hanging) world.receiver.always(path, () => undefined);
    for (let n = 0; n < 5; n++) await world.happen("agent.suspended");
    await world.fanOut();
    // None of those that hang ends before the test does, however slow the machine is.
    const worker = world.worker({ timeoutMs: 600_000 });
    await eventually(async () => {
      // A lane for which there was no slot comes again after a moment.
      world.clock.advance(100);
      await worker.look();
      for (const { path } of healthy) expect(world.receiver.at(path)).toHaveLength(5);
    });
    for (const { path } of hanging) expect(world.receiver.at(path)).toHaveLength(1);
    world.receiver.dropAll();
    await worker.drained?.();
  });
});

describe("nothing is lost", () => {
  test("W08 a worker that died while it sent: sent again under the same webhook-id, and its attempt is counted", async () => {
    const ours = await world.webhook();
    const event = await world.happen();
    await world.fanOut();
    world.receiver.answer(ours.path, () => undefined);
    const dead = world.worker({ timeoutMs: 600_000 });
    await dead.look();
    await eventually(() => expect(world.receiver.at(ours.path)).toHaveLength(1));
    // Nobody else sends while its lease lasts.
    await world.send();
    expect(world.receiver.at(ours.path)).toHaveLength(1);
    await world.database.asAdmin(
      "update webhook_lanes set leased_until = clock_timestamp() - interval '1 s'",
    );
    await world.send();
    const told = world.receiver.at(ours.path);
    expect(told.map(({ headers }) => headers["webhook-id"])).toEqual([event.id, event.id]);
    expect(told[0]?.body).toBe(told[1]?.body);
    expect(await onlyOne(ours, event.id)).toMatchObject({ status: "delivered", attempts: 2 });
    const log = await world.database.asAdmin("select attempt, error from webhook_attempts order by attempt");
    expect(log).toEqual(
      expect.arrayContaining([
        { attempt: 1, error: "worker_lost" },
        { attempt: 2, error: null },
      ]),
    );
    // What the first one learns too late changes nothing.
    world.receiver.dropAll();
    await dead.drained?.();
    expect(await onlyOne(ours, event.id)).toMatchObject({ status: "delivered", attempts: 2 });
  });

  test("W08 a delivery that ends each worker becomes a dead letter", async () => {
    const ours = await world.webhook();
    const event = await world.happen();
    await world.fanOut();
    await world.database.asAdmin(
      "update webhook_deliveries set round = 10, attempts = 10 where event_id = $1",
      [event.id],
    );
    await world.send();
    expect(world.receiver.at(ours.path)).toEqual([]);
    expect(await onlyOne(ours, event.id)).toMatchObject({ status: "dead_letter", error: "worker_lost" });
  });

  test("W09 what committed before the process died is told, once, however often its reader dies on the way", async () => {
    const ours = await world.webhook();
    await world.fanOut();
    const before = await world.database.asAdmin<{ xid: string; seq: string }>(
      "select xid, seq from outbox_cursors",
    );
    const event = await world.happen();
    await world.fanOut();
    // Its deliveries were written, and that it had read so far was not.
    await world.database.asAdmin("update outbox_cursors set xid = $1, seq = $2", [
      before[0]?.xid,
      before[0]?.seq,
    ]);
    await world.fanOut();
    await world.send();
    await world.send();
    await onlyOne(ours, event.id);
    expect(world.receiver.at(ours.path)).toHaveLength(1);
  });

  test("two workers share what is due and neither sends what the other does", async () => {
    const ours = await Promise.all(Array.from({ length: 8 }, () => world.webhook()));
    for (let n = 0; n < 10; n++) await world.happen();
    await world.fanOut();
    const workers = [world.worker(), world.worker(), world.worker()];
    await eventually(async () => {
      await Promise.all(workers.map((worker) => world.send(worker)));
      for (const { path } of ours) expect(world.receiver.at(path).length).toBeGreaterThanOrEqual(10);
    });
    for (const { path } of ours) expect(world.receiver.at(path)).toHaveLength(10);
  });

  test("a range of dead letters is sent anew, and what was delivered only if it is asked for", async () => {
    const ours = await world.webhook();
    const since = world.clock.now();
    world.receiver.answer(ours.path, 410, 204);
    await tell(ours);
    await world.database.asAdmin(
      "update webhooks set active = true, disabled_at = null, disabled_because = null",
    );
    await tell(ours);
    const replay = (status: "dead_letter" | "all", from = since) =>
      world.db
        .of(world.tenant)
        .transaction((tx) =>
          replayRange(tx, { webhook: ours.id, since: from, until: undefined, status }, by()),
        );
    expect(await replay("dead_letter")).toEqual({ replayed: 1, more: false });
    await world.send();
    expect((await world.deliveries(ours.id)).map((row) => row.status)).toEqual(["delivered", "delivered"]);
    expect(await replay("dead_letter")).toEqual({ replayed: 0, more: false });
    world.clock.advance(1);
    expect(await replay("all", world.clock.now())).toEqual({ replayed: 0, more: false });
    expect(await replay("all")).toEqual({ replayed: 2, more: false });
  });
});

test("T06 a suspended organization is told nothing, neither what waited nor what happens; what waited, once it acts again", async () => {
  const ours = await world.webhook();
  const waited = await world.happen();
  await world.fanOut();
  const operator = newId("client");
  const caller = {
    tenant: platformTenant,
    client: operator,
    subject: operator,
    scopes: new Set<string>(),
    actor: { type: "client", id: operator },
    claims: {} as Caller["claims"], // nobody looks at them here
  } as const satisfies Caller;
  const change = (status: "active" | "suspended") =>
    changeOrganization(world.db, world.tenant, { asked: { status }, caller, now: world.clock.now() });
  await change("suspended");
  await world.happen();
  await world.fanOut();
  await world.send();
  await world.send();
  expect(world.receiver.at(ours.path)).toHaveLength(0);
  await change("active");
  await world.send();
  expect(await world.deliveries(ours.id)).toMatchObject([
    { event_id: waited.id, status: "delivered", attempts: 1 },
  ]);
});

test("what is older than 30 days is swept with its attempts and what was sent; what is younger stays", async () => {
  const ours = await world.webhook();
  const [old, young] = [await tell(ours), await tell(ours)];
  const earlier = "now() - interval '31 days'";
  await world.database.asAdmin(`update webhook_events set created_at = ${earlier} where id <> $1`, [young]);
  await world.database.asAdmin(`update webhook_deliveries set created_at = ${earlier} where event_id <> $1`, [
    young,
  ]);
  await world.database.asAdmin(
    `update webhook_attempts set at = ${earlier} where delivery_id in (select id from webhook_deliveries where event_id <> $1)`,
    [young],
  );
  await sweep(world.db, new AbortController().signal);
  expect((await world.deliveries(ours.id)).map((row) => row.event_id)).toEqual([young]);
  expect(
    await world.database.asAdmin("select id from webhook_events where id in ($1, $2)", [old, young]),
  ).toEqual([{ id: young }]);
  const attempts = await world.database.asAdmin(
    "select status from webhook_attempts join webhook_deliveries d on d.id = delivery_id",
  );
  expect(attempts).toEqual([{ status: "delivered" }]);
});

describe("W12 the signature", () => {
  const heard = async (ours: Ours) => {
    await tell(ours);
    const told = world.receiver.at(ours.path).at(-1);
    if (told === undefined) throw new Error("nothing was told");
    return told;
  };

  test("W12 a body that was altered, written anew or is old is not what was signed", async () => {
    world.clock.set(realNow());
    const ours = await world.webhook();
    const told = await heard(ours);
    expect(verified(ours.secret, told)).toMatchObject({ type: "mandate.revoked" });
    const other = (more: Partial<typeof told>) => () => verified(ours.secret, { ...told, ...more });
    const anew = JSON.stringify(JSON.parse(told.body), null, 1);
    expect(other({ body: told.body.replace("revoked", "resumed") })).toThrow();
    expect(other({ body: anew })).toThrow();
    expect(other({ headers: { ...told.headers, "webhook-id": newId("event") } })).toThrow();
    const old = String(Number(told.headers["webhook-timestamp"]) - 600);
    expect(other({ headers: { ...told.headers, "webhook-timestamp": old } })).toThrow();
    expect(() => verified(otherSecret, told)).toThrow();
  });
  const otherSecret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

  test("W12 while a secret is rotated both hold, then the new one alone; at once if so asked", async () => {
    world.clock.set(realNow());
    const ours = await world.webhook();
    const rotate = async (overlapHours: number): Promise<string> =>
      (
        await world.db
          .of(world.tenant)
          .transaction((tx) => rotateSecret(world.secrets, tx, { id: ours.id, overlapHours, ...by() }))
      ).secret;
    const second = await rotate(24);
    const during = await heard(ours);
    expect(String(during.headers["webhook-signature"]).split(" ")).toHaveLength(2);
    for (const secret of [ours.secret, second]) expect(() => verified(secret, during)).not.toThrow();
    await world.database.asAdmin("update webhooks set former_until = $1", [new Date(world.clock.now())]);
    const after = await heard(ours);
    expect(() => verified(second, after)).not.toThrow();
    expect(() => verified(ours.secret, after)).toThrow();
    const third = await rotate(0);
    const last = await heard(ours);
    expect(() => verified(third, last)).not.toThrow();
    expect(() => verified(second, last)).toThrow();
  });
});

describe("W13 order and duplicates", () => {
  test("W13 sequence tells the order in which one object changed, also where a transaction that began first ended last", async () => {
    const ours = await world.webhook();
    const subject = newId("mandate");
    const { promise: begun, resolve: began } = Promise.withResolvers<void>();
    const { promise: gone, resolve: go } = Promise.withResolvers<void>();
    // It has its transaction id, waits for the object's lock, and changes it second.
    const late = world.db.of(world.tenant).transaction(async (tx) => {
      await tx.record(eventOf("mandate.issued", newId("mandate")));
      began();
      await gone;
      await tx.record(eventOf("mandate.resumed", subject));
    });
    await begun;
    await world.happen("mandate.suspended", { subject });
    go();
    await late;
    await world.fanOut();
    await eventually(async () => {
      await world.send();
      expect(world.receiver.at(ours.path)).toHaveLength(3);
    });
    const payloads = world.receiver.at(ours.path).map(({ body }) => JSON.parse(body) as Payload); // what we sent
    const changes = payloads.filter((payload) => payload.subject === subject);
    expect(changes.toSorted((a, b) => a.sequence - b.sequence).map(({ type }) => type)).toEqual([
      "mandate.suspended",
      "mandate.resumed",
    ]);
  });

  test("W13 a receiver that keeps the greatest sequence of an object ends where the object is, in any order and with duplicates", async () => {
    const ours = await world.webhook();
    const subjects = [newId("mandate"), newId("mandate"), newId("mandate")];
    const truth = new Map<string, number>();
    for (let n = 0; n < 12; n++) {
      const subject = subjects[n % 3] ?? "";
      await world.happen("mandate.exhausted", { subject, payload: { n } });
      truth.set(subject, n);
    }
    await world.fanOut();
    await eventually(async () => {
      await world.send();
      expect(world.receiver.at(ours.path)).toHaveLength(12);
    });
    const payloads = world.receiver.at(ours.path).map(({ body }) => JSON.parse(body) as Payload); // what we sent
    fc.assert(
      fc.property(
        fc.shuffledSubarray(payloads, { minLength: 12 }),
        fc.array(fc.constantFrom(...payloads)),
        (some, again) => {
          const kept = new Map<string, Payload>();
          for (const payload of [...some, ...again]) {
            const before = kept.get(payload.subject);
            if (before === undefined || payload.sequence > before.sequence)
              kept.set(payload.subject, payload);
          }
          for (const [subject, n] of truth) expect(kept.get(subject)?.data["n"]).toBe(n);
        },
      ),
    );
  });
});

type Payload = {
  readonly type: string;
  readonly subject: string;
  readonly sequence: number;
  readonly data: Record<string, unknown>;
};
const eventOf = (type: EventType, subject: string) =>
  newEvent(type, { tenant: world.tenant, actor: by().actor, subject }, world.clock.now());
/** The public package looks at the real time. */
const realNow = systemClock.now;
