import pathOf from "node:path";
import { newId } from "@remit/kernel";
import { lettersIn } from "@remit/platform/mail";
import { eventTypeNames } from "@remit/protocol";
import { dataOf } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, newClient } from "../client.ts";
import { Management } from "../management.ts";
import { adminSecret, type Running, startServer } from "../running.ts";
import { startWebhookReceiver, verified, type WebhookReceiver } from "./receiver.ts";

const path = "/api/v1/webhooks";

let receiver: WebhookReceiver;
/** A service that the installation may reach, and tenants may not. */
let inside: WebhookReceiver;
let running: Running;
let management: Management;
let webhooks: Management;
let ours: Made;

beforeAll(async () => {
  [receiver, inside] = [await startWebhookReceiver(), await startWebhookReceiver()];
  // Nobody answers there: webhooks want nothing of Redis.
  running = await startServer({
    outboundAllow: [inside.host],
    tenantOutboundAllow: [receiver.host],
    redisUrl: "redis://127.0.0.1:1",
  });
  management = new Management(running);
  webhooks = new Management(running, adminSecret, "webhooks:read webhooks:write");
  ours = await make({ events: ["agent.*"] });
});
afterAll(async () => {
  await running.close();
  await Promise.all([receiver.close(), inside.close()]);
});

type Made = { readonly id: string; readonly secret: string; readonly at: string };

let count = 0;
const create = (more: object = {}): Promise<Answer> => {
  count += 1;
  return webhooks.call("POST", path, {
    name: "Ours",
    url: `${receiver.origin}/w${count}`,
    events: ["*"],
    ...more,
  });
};
async function make(more: object = {}): Promise<Made> {
  const { status, body } = await create(more);
  expect(status, JSON.stringify(body)).toBe(201);
  return {
    id: String(body["id"]),
    secret: String(body["signingSecret"]),
    at: new URL(String(body["url"])).pathname,
  };
}

/** Something happens in the tenant: its switch for bearer tokens is turned. */
async function happen(allowed = false): Promise<void> {
  const answer = await management.call("PUT", "/api/v1/organization/bearer-tokens", { allowed });
  expect(answer.status).toBe(200);
}

describe("a webhook", () => {
  test("W10 is told of an event, signed as Standard Webhooks says, also while Redis is gone", async () => {
    // That the organization was made may be told to it as well: the outbox is read a moment later.
    const { secret, at } = await make({ events: ["tenant.changed"] });
    await happen(true);
    await eventually(() => expect(receiver.at(at)).toHaveLength(1));
    const [told] = receiver.at(at);
    if (told === undefined) throw new Error("nothing was told");
    const payload = verified(secret, told);
    expect(payload).toMatchObject({
      type: "tenant.changed",
      organization_id: running.tenant,
      livemode: false,
      subject: running.tenant,
      data: { bearer_tokens: true },
    });
    expect(told.headers).toMatchObject({ "webhook-id": payload["id"], "content-type": "application/json" });
  });

  test("is read, listed, changed and removed by its own tenant", async () => {
    const created = await create({ events: ["agent.*", "token.issued"] });
    expect(created.body).toMatchObject({
      organization_id: running.tenant,
      name: "Ours",
      events: ["agent.*", "token.issued"],
      active: true,
      signingSecret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
      failure_count: 0,
    });
    const { signingSecret: _, ...shown } = created.body;
    const one = `${path}/${String(shown["id"])}`;
    expect((await webhooks.call("GET", one)).body).toEqual(shown);
    const second = await make();
    const list = await webhooks.call("GET", `${path}?limit=1`);
    expect(list.body).toMatchObject({ data: [{ id: second.id }], next_cursor: second.id });
    expect((await webhooks.call("GET", `${path}?cursor=${second.id}&limit=1`)).body).toMatchObject({
      data: [shown],
    });
    const change = { name: "Theirs", events: ["*"], active: false };
    expect((await webhooks.call("PATCH", one, change)).body).toMatchObject(change);
    expect((await webhooks.call("DELETE", one)).status).toBe(204);
    expect((await webhooks.call("GET", one)).status).toBe(404);
    expect((await webhooks.call("GET", `${path}/${newId("webhook")}`)).status).toBe(404);
  });
});

test("the catalogue names every kind of event with the schema of its data, and nothing beyond a schema is told", async () => {
  const { status, body } = await webhooks.call("GET", `${path}/events`);
  expect(status).toBe(200);
  const kinds = body["data"] as { type: string; alias: string | null; schema: Record<string, unknown> }[]; // its contract
  expect(kinds.map(({ type }) => type)).toEqual([...eventTypeNames]);
  expect(kinds.find(({ type }) => type === "agent.registered")?.alias).toBe("agent.created");
  expect(Object.keys(Object(body["envelope"])["properties"])).toEqual(
    expect.arrayContaining(["id", "sequence", "data"]),
  );
  const payload = { agent: "agt_1", from: "active", to: "suspended", email: "ada@example.com" };
  expect(dataOf("agent.suspended", payload)).toEqual({ agent: "agt_1", from: "active", to: "suspended" });
});

test("the AgentIdP API's names of events are taken, and told beside ours", async () => {
  const seeds = [
    "agent.created",
    "agent.updated",
    "agent.suspended",
    "agent.reactivated",
    "agent.decommissioned",
  ];
  const more = [
    "credential.generated",
    "credential.rotated",
    "credential.revoked",
    "token.issued",
    "token.revoked",
  ];
  const mine = await make({ events: [...seeds, ...more] });
  await newClient(running, "agent");
  await eventually(() =>
    expect(receiver.at(mine.at).map(({ body }) => JSON.parse(body))).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: "agent.registered", alias: "agent.created" })]),
    ),
  );
});

describe("what is refused", () => {
  test.each<[string, object]>([
    ["W01 a loopback address", { url: "https://127.0.0.1/" }],
    ["W01 another loopback address", { url: "https://[::1]/" }],
    ["W01 a private address", { url: "https://192.168.1.1/" }],
    ["W01 an address of metadata", { url: "https://169.254.169.254/latest" }],
    ["W01 a shared address", { url: "https://100.64.0.1/" }],
    ["W01 a local address", { url: "https://[fd00::1]/" }],
    ["W01 a link-local address", { url: "https://[fe80::1]/" }],
    ["W01 an address within an address", { url: "https://[::ffff:10.0.0.1]/" }],
    ["W01 a translated address", { url: "https://[64:ff9b::a00:1]/" }],
    ["W01 an octal address", { url: "https://0177.0.0.1/" }],
    ["W01 a hexadecimal address", { url: "https://0x7f000001/" }],
    ["W01 no address at all", { url: "https://0.0.0.0/" }],
    ["W01 a name of loopback with a dot", { url: "https://localhost./" }],
    ["W01 ideographic dots", { url: "https://127。0。0。1/" }],
    ["W04 a port of SSH", { url: "https://hooks.example:22/" }],
    ["W04 a port of mail", { url: "https://hooks.example:25/" }],
    ["W04 a port of Redis", { url: "https://hooks.example:6379/" }],
    ["W04 a port of PostgreSQL", { url: "https://hooks.example:5432/" }],
    ["W04 http", { url: "http://example.com/" }],
  ])("%s, when a webhook is made and when it is moved", async (_, wrong) => {
    expect((await create(wrong)).body).toMatchObject({ status: 400, code: "outbound_refused" });
    const moved = await webhooks.call("PATCH", `${path}/${ours.id}`, wrong);
    expect(moved.body).toMatchObject({ status: 400, code: "outbound_refused" });
  });

  test("W01 what the installation alone may reach, when a webhook is made, when it is moved, and when it is told", async () => {
    const wrong = { url: `${inside.origin}/v1/secret` };
    expect((await create(wrong)).body).toMatchObject({ status: 400, code: "outbound_refused" });
    const moved = await webhooks.call("PATCH", `${path}/${ours.id}`, wrong);
    expect(moved.body).toMatchObject({ status: 400, code: "outbound_refused" });
    const { id } = await make({ events: ["tenant.*"] });
    await running.database.asAdmin("update webhooks set url = $2 where id = $1", [id, wrong.url]);
    await happen();
    await eventually(async () => {
      const { body } = await webhooks.call("GET", `${path}/${id}/deliveries`);
      expect(body["data"]).toMatchObject([{ error: "address_refused", attempts: 1 }]);
    });
    expect(inside.at("/v1/secret")).toHaveLength(0);
  });

  test.each<[string, object]>([
    ["W04 file", { url: "file:///etc/passwd" }],
    ["W04 gopher", { url: "gopher://127.0.0.1/" }],
    ["W04 ftp", { url: "ftp://example.com/" }],
    ["user information", { url: "https://me:secret@hooks.example/" }],
    ["no events", { events: [] }],
    ["an event that does not exist", { events: ["agent.teleported"] }],
    ["a noun that does not exist", { events: ["unicorn.*"] }],
    ["a glob within a word", { events: ["agent.reg*"] }],
    ["a regular expression", { events: [".*"] }],
    ["more patterns than fifty", { events: Array.from({ length: 51 }, () => "*") }],
    ["a name with a line break", { name: "a\nb" }],
    ["a secret of one's own", { secret: "whsec_AAAA" }],
    ["an unknown member", { surprise: true }],
  ])("%s", async (_, wrong) => {
    expect((await create(wrong)).body).toMatchObject({ status: 400, code: "invalid_request" });
  });

  test("whoever lacks the scope, and reading for writing", async () => {
    const reader = new Management(running, adminSecret, "webhooks:read");
    expect((await reader.call("GET", `${path}/${ours.id}`)).status).toBe(200);
    expect((await reader.call("DELETE", `${path}/${ours.id}`)).body["code"]).toBe("insufficient_scope");
    expect((await reader.call("POST", `${path}/${ours.id}/rotate-secret`, {})).body["code"]).toBe(
      "insufficient_scope",
    );
    expect((await management.call("GET", path)).body["code"]).toBe("insufficient_scope");
  });

  test("T10 everything about the webhooks of another tenant, as if they were not there", async () => {
    const secret = "eve-admin-secret-of-many-random-bits-0123456789";
    const eve = await running.service.bootstrap({
      tenant: { name: "eve" },
      principal: { email: "eve@example.com", name: "eve", password: "another horse battery staple" },
      admin: { clientSecret: secret },
    });
    const evil = new Management(
      { issuer: running.issuer, adminId: eve.admin.clientId },
      secret,
      "webhooks:read webhooks:write",
    );
    const delivery = await sendTest(ours);
    const since = "2020-01-01T00:00:00Z";
    const calls: [string, string, object?][] = [
      ["GET", ""],
      ["PATCH", "", { name: "Eve's" }],
      ["DELETE", ""],
      ["POST", "/rotate-secret", {}],
      ["POST", "/test"],
      ["POST", "/replay", { since, status: "all" }],
      ["GET", "/deliveries"],
      ["GET", `/deliveries/${delivery}`],
      ["POST", `/deliveries/${delivery}/replay`],
    ];
    for (const [method, rest, body] of calls)
      expect((await evil.call(method, `${path}/${ours.id}${rest}`, body)).status, method + rest).toBe(404);
    expect((await evil.call("GET", path)).body).toEqual({ data: [], next_cursor: null });
    // Nor does a delivery of one webhook appear at another one of the same tenant.
    const other = await make({ events: ["agent.*"] });
    expect((await webhooks.call("GET", `${path}/${other.id}/deliveries/${delivery}`)).status).toBe(404);
    expect((await webhooks.call("POST", `${path}/${other.id}/deliveries/${delivery}/replay`)).status).toBe(
      404,
    );
  });
});

async function sendTest(to: Made): Promise<string> {
  const sent = await webhooks.call("POST", `${path}/${to.id}/test`);
  expect(sent.status).toBe(202);
  return String(sent.body["id"]);
}
const logOf = async (of: Made, delivery: string): Promise<Record<string, unknown>> =>
  (await webhooks.call("GET", `${path}/${of.id}/deliveries/${delivery}`)).body;

describe("the log", () => {
  test("shows each attempt as it was sent, byte for byte, and answered; and sends again", async () => {
    receiver.answer(ours.at, (response) => void response.writeHead(500).end("not today"));
    const delivery = await sendTest(ours);
    await eventually(async () =>
      expect(await logOf(ours, delivery)).toMatchObject({
        status: "pending",
        attempts: 1,
        response_status: 500,
      }),
    );
    const [sent] = receiver.at(ours.at).slice(-1);
    const shown = await logOf(ours, delivery);
    expect(shown["log"]).toEqual([
      {
        attempt: 1,
        at: expect.any(String),
        duration_ms: expect.any(Number),
        request: {
          url: receiver.origin + ours.at,
          body: sent?.body,
          headers: {
            "content-type": "application/json",
            "user-agent": "Remit-Webhooks/1",
            "webhook-id": sent?.headers["webhook-id"],
            "webhook-timestamp": sent?.headers["webhook-timestamp"],
            "webhook-signature": sent?.headers["webhook-signature"],
          },
        },
        response: { status: 500, body: "not today" },
        error: null,
      },
    ]);
    const again = await webhooks.call("POST", `${path}/${ours.id}/deliveries/${delivery}/replay`);
    expect(again.status).toBe(202);
    await eventually(async () =>
      expect(await logOf(ours, delivery)).toMatchObject({ status: "delivered", attempts: 2 }),
    );
    const all = receiver.at(ours.at).filter(({ body }) => body === sent?.body);
    expect(all).toHaveLength(2);
    for (const told of all) expect(verified(ours.secret, told)).toMatchObject({ type: "webhook.tested" });
  });

  test("is filtered by status, event and time, and turned page by page", async () => {
    const mine = await make({ events: ["agent.*"] });
    receiver.answer(mine.at, 410);
    const gone = await sendTest(mine);
    await eventually(async () => expect((await logOf(mine, gone))["status"]).toBe("dead_letter"));
    expect((await webhooks.call("GET", `${path}/${mine.id}`)).body).toMatchObject({
      active: false,
      disabled_because: "gone",
      failure_count: 1,
    });
    expect((await webhooks.call("POST", `${path}/${mine.id}/test`)).body["code"]).toBe("webhook_inactive");
    const replay = { since: "2020-01-01T00:00:00Z" };
    expect((await webhooks.call("POST", `${path}/${mine.id}/replay`, replay)).body["code"]).toBe(
      "webhook_inactive",
    );
    const on = await webhooks.call("PATCH", `${path}/${mine.id}`, { active: true });
    expect(on.body).toMatchObject({ active: true, disabled_at: null, failure_count: 0 });
    const good = await sendTest(mine);
    await eventually(async () => expect((await logOf(mine, good))["status"]).toBe("delivered"));
    const ids = async (query: string): Promise<unknown> => {
      const { body } = await webhooks.call("GET", `${path}/${mine.id}/deliveries${query}`);
      return (body["data"] as { id: string }[]).map(({ id }) => id); // a page
    };
    expect(await ids("")).toEqual([good, gone]);
    expect(await ids("?status=dead_letter")).toEqual([gone]);
    expect(await ids("?event=webhook.tested&limit=1")).toEqual([good]);
    expect(await ids(`?cursor=${good}`)).toEqual([gone]);
    expect(await ids("?event=agent.registered")).toEqual([]);
    expect(await ids("?since=2099-01-01T00:00:00Z")).toEqual([]);
    expect(await ids("?until=2020-01-01T00:00:00Z")).toEqual([]);
    expect((await webhooks.call("GET", `${path}/${mine.id}/deliveries?surprise=1`)).status).toBe(400);
    const replayed = await webhooks.call("POST", `${path}/${mine.id}/replay`, replay);
    expect(replayed).toMatchObject({ status: 202, body: { replayed: 1, more: false } });
    await eventually(async () => expect((await logOf(mine, gone))["status"]).toBe("delivered"));
    // Whoever runs the tenant was told by letter that it had been turned off.
    await eventually(async () => {
      const letters = await lettersIn(pathOf.join(running.dataDir, "mail"), "ada@example.com");
      expect(letters.map(({ subject }) => subject)).toContain("A webhook of yours was turned off");
    });
  });
});

test("one more than a tenant may have, however many ask at once", async () => {
  const { body } = await webhooks.call("GET", `${path}?limit=100`);
  const there = (body["data"] as unknown[]).length; // a page
  const add = (count: number) =>
    Promise.all(Array.from({ length: count }, () => create({ events: ["key.*"] })));
  const some = [];
  // One waits for the other: a busy machine gives up on the last of fifty.
  for (let left = 50 - there - 2; left > 0; left -= 8) some.push(...(await add(Math.min(8, left))));
  some.push(...(await add(5)));
  expect(some.filter(({ status }) => status === 201)).toHaveLength(50 - there);
  expect(some.filter(({ body: { code } }) => code === "webhook_limit_reached")).toHaveLength(3);
});
