import { newId } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "./client.ts";
import { Management } from "./management.ts";
import { adminSecret, type Running, startServer } from "./running.ts";
import { startWebhookReceiver, verified, type WebhookReceiver } from "./webhook-receiver.ts";

const path = "/api/v1/webhooks";

let receiver: WebhookReceiver;
let running: Running;
let management: Management;
let webhooks: Management;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  running = await startServer({ outboundAllow: [receiver.host] });
  management = new Management(running);
  webhooks = new Management(running, adminSecret, "webhooks:read webhooks:write");
});
afterAll(async () => {
  await running.close();
  await receiver.close();
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
  test("is told of an event, signed as Standard Webhooks says", async () => {
    const { secret, at } = await make({ events: ["tenant.*"] });
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
    expect((await webhooks.call("GET", `${path}?cursor=${second.id}`)).body).toMatchObject({
      data: [shown, {}],
    });
    const change = { name: "Theirs", events: ["*"], active: false };
    expect((await webhooks.call("PATCH", one, change)).body).toMatchObject(change);
    expect((await webhooks.call("DELETE", one)).status).toBe(204);
    expect((await webhooks.call("GET", one)).status).toBe(404);
    expect((await webhooks.call("GET", `${path}/${newId("webhook")}`)).status).toBe(404);
  });
});
