import { newId } from "@remit/kernel";
import { signalTypes } from "@remit/protocol";
import { pollMethod, pushMethod } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anotherTenant } from "../fleet.ts";
import { Management } from "../management.ts";
import { adminSecret } from "../running.ts";
import { startWorld, type World } from "./world.ts";

// What the conformance suite of the OpenID Foundation asks of a transmitter, by a receiver that reads with a public library.

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

describe("the configuration document", () => {
  test("names every endpoint, how it is authorised, and no list is empty", () => {
    expect(world.found).toMatchObject({
      spec_version: "1_0",
      issuer: world.running.issuer,
      delivery_methods_supported: [pushMethod, pollMethod],
      default_subjects: "ALL",
    });
    expect(world.found.authorization_schemes).toContainEqual({ spec_urn: "urn:ietf:rfc:6749" });
    for (const value of Object.values(world.found)) if (Array.isArray(value)) expect(value).not.toEqual([]);
    for (const name of ["configuration", "status", "verification", "add_subject", "remove_subject"] as const)
      expect(world.found[`${name}_endpoint`].startsWith(world.running.issuer)).toBe(true);
  });

  test("its keys are published", async () => {
    const keys = (await (await fetch(world.found.jwks_uri)).json()) as { keys: unknown[] }; // RFC 7517
    expect(keys.keys.length).toBeGreaterThan(0);
  });
});

describe("a stream", () => {
  test("is created, read, changed in part and as a whole, removed, and then not there", async () => {
    const delivery = world.pushTo({ authorization_header: "Bearer of-the-receiver" });
    const { status, body } = await world.ssf.call("POST", world.at("configuration"), {
      events_requested: [signalTypes["caep.session-revoked"], "https://example.com/unknown"],
      delivery,
      description: "Ours",
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      iss: world.running.issuer,
      aud: world.running.adminId,
      events_requested: [signalTypes["caep.session-revoked"], "https://example.com/unknown"],
      events_delivered: [signalTypes["caep.session-revoked"]],
      delivery: { method: pushMethod, endpoint_url: delivery.endpoint_url },
      description: "Ours",
    });
    expect(JSON.stringify(body)).not.toContain("of-the-receiver");
    const id = String(body["stream_id"]);
    expect((await world.ssf.call("GET", world.at("configuration") + world.named(id))).body).toEqual(body);
    const patched = await world.ssf.call("PATCH", world.at("configuration"), {
      stream_id: id,
      description: "Theirs",
    });
    expect(patched).toMatchObject({ status: 200, body: { ...body, description: "Theirs" } });
    const { description: _, events_requested: __, ...rest } = body;
    const put = await world.ssf.call("PUT", world.at("configuration"), {
      stream_id: id,
      delivery: { method: pollMethod },
    });
    expect(put.status).toBe(200);
    expect(put.body).toEqual({
      ...rest,
      events_delivered: body["events_supported"],
      delivery: { method: pollMethod, endpoint_url: body["poll_endpoint"] },
    });
    expect((await world.remove(id)).status).toBe(204);
    expect((await world.remove(id)).status).toBe(404);
    expect((await world.ssf.call("GET", world.at("configuration") + world.named(id))).status).toBe(404);
    expect((await world.ssf.call("GET", world.at("status") + world.named(id))).status).toBe(404);
  });

  test("may be asked for without a word: it is polled, and there may be several", async () => {
    const [one, two] = [await world.make(), await world.make()];
    const { body } = await world.ssf.call("GET", world.at("configuration"));
    const all = JSON.parse(String(body["text"])) as { stream_id: string }[]; // a list
    const ids = all.map(({ stream_id }) => stream_id);
    expect(ids).toEqual(expect.arrayContaining([one.id, two.id]));
    await Promise.all([world.remove(one.id), world.remove(two.id)]);
  });

  test("goes back as it was read, and what is the transmitter's to say may not differ", async () => {
    const { id } = await world.make({ delivery: world.pushTo({ authorization_header: "Bearer kept" }) });
    const { body } = await world.ssf.call("GET", world.at("configuration") + world.named(id));
    for (const method of ["PUT", "PATCH"])
      expect(await world.ssf.call(method, world.at("configuration"), body), method).toMatchObject({
        status: 200,
        body,
      });
    for (const wrong of [
      { aud: "https://other.example" },
      { iss: "https://other.example" },
      { events_supported: [] },
    ])
      expect((await world.ssf.call("PUT", world.at("configuration"), { ...body, ...wrong })).status).toBe(
        400,
      );
    await world.remove(id);
  });

  test.each<[string, unknown]>([
    ["no JSON", "{"],
    ["a way of delivery that does not exist", { delivery: { method: "urn:example:pigeon" } }],
    ["a push to nowhere", { delivery: { method: pushMethod } }],
    [
      "a header with a line break",
      { delivery: { method: pushMethod, endpoint_url: "https://a.example/", authorization_header: "a\nb" } },
    ],
    ["events that are no list", { events_requested: "all" }],
  ])("of %s is refused with 400", async (_, wrong) => {
    expect((await world.ssf.call("POST", world.at("configuration"), wrong)).status).toBe(400);
  });

  test.each([
    "https://127.0.0.1/",
    "https://169.254.169.254/latest",
    "http://example.com/",
    "https://hooks.example:25/",
  ])("W01 W04 to %s is refused, when it is made and when it is moved", async (endpoint_url) => {
    const delivery = { method: pushMethod, endpoint_url };
    expect((await world.ssf.call("POST", world.at("configuration"), { delivery })).body["code"]).toBe(
      "outbound_refused",
    );
    const { id } = await world.make();
    const moved = await world.ssf.call("PATCH", world.at("configuration"), { stream_id: id, delivery });
    expect(moved.body["code"]).toBe("outbound_refused");
    await world.remove(id);
  });

  test("W01 to what the installation alone may reach is refused", async () => {
    const delivery = { method: pushMethod, endpoint_url: `${world.inside.origin}/secret` };
    expect((await world.ssf.call("POST", world.at("configuration"), { delivery })).body["code"]).toBe(
      "outbound_refused",
    );
  });

  test("without a token, with a wrong one, and without its scope is refused", async () => {
    const bare = await fetch(world.found.configuration_endpoint);
    expect(bare.status).toBe(401);
    const wrong = await fetch(world.found.configuration_endpoint, {
      headers: { authorization: "Bearer nonsense" },
    });
    expect(wrong.status).toBe(401);
    expect((await new Management(world.running).call("GET", world.at("configuration"))).status).toBe(403);
    const reader = new Management(world.running, adminSecret, "ssf.read");
    expect((await reader.call("GET", world.at("configuration"))).status).toBe(200);
    expect((await reader.call("POST", world.at("configuration"), {})).status).toBe(403);
  });

  test("is one of at most twenty", async () => {
    const all = await Promise.all(
      Array.from({ length: 25 }, () => world.ssf.call("POST", world.at("configuration"), {})),
    );
    const made = all.filter(({ status }) => status === 201);
    expect(made.length).toBeLessThanOrEqual(20);
    expect(all.find(({ status }) => status !== 201)?.body["code"]).toBe("stream_limit_reached");
    for (const { body } of made) await world.remove(String(body["stream_id"]));
  });

  test("T10 of another organization is not there, whatever is asked", async () => {
    const mine = await world.make();
    await world.verify(mine);
    const eve = await anotherTenant(world.running);
    const evil = new Management(eve, eve.adminSecret, "ssf.manage world.ssf.read");
    const subject = { format: "opaque", id: newId("mandate") };
    const calls: [string, string, object?][] = [
      ["GET", world.at("configuration") + world.named(mine.id)],
      ["PATCH", world.at("configuration"), { stream_id: mine.id }],
      ["PUT", world.at("configuration"), { stream_id: mine.id }],
      ["GET", world.at("status") + world.named(mine.id)],
      ["POST", world.at("status"), { stream_id: mine.id, status: "disabled" }],
      ["POST", world.at("verification"), { stream_id: mine.id }],
      ["POST", world.at("add_subject"), { stream_id: mine.id, subject }],
      ["POST", world.at("remove_subject"), { stream_id: mine.id, subject }],
      ["POST", mine.poll, { returnImmediately: true }],
      ["DELETE", world.at("configuration") + world.named(mine.id)],
    ];
    for (const [method, path, body] of calls)
      expect((await evil.call(method, path, body)).status, `${method} ${path}`).toBe(404);
    expect((await evil.call("GET", world.at("configuration"))).body).toEqual({ text: "[]" });
    const hers = (await evil.call("POST", world.at("configuration"), {})).body;
    const [jti = ""] = Object.keys((await world.poll(mine)).sets);
    await evil.call("POST", world.pathOf(String(hers["poll_endpoint"])), {
      ack: [jti],
      returnImmediately: true,
    });
    expect(Object.keys((await world.poll(mine)).sets)).toEqual([jti]);
    await world.remove(mine.id);
  });
});

describe("verification", () => {
  test("is pushed with the receiver's own word", async () => {
    const stream = await world.make({ delivery: world.pushTo() });
    await world.verify(stream, "VGhpcyBpcyBhbiBleGFtcGxl");
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(1));
    const [set] = await world.pushed(stream);
    expect(set).toMatchObject({
      header: { typ: "secevent+jwt", alg: "ES256" },
      type: signalTypes["ssf.verification"],
      data: { state: "VGhpcyBpcyBhbiBleGFtcGxl" },
      claims: {
        iss: world.running.issuer,
        aud: stream.aud,
        seq: 1,
        sub_id: { format: "opaque", id: stream.id },
      },
    });
    expect(set?.claims).not.toHaveProperty("sub");
    expect(set?.claims).not.toHaveProperty("exp");
    await world.remove(stream.id);
  });

  test("waits for a poll, and says nothing of what it was not told", async () => {
    const stream = await world.make();
    await world.verify(stream);
    const [token = ""] = Object.values((await world.poll(stream)).sets);
    expect((await world.read(token, stream)).data).toEqual({});
    await world.remove(stream.id);
  });

  test("is not asked for again at once, nor of a stream that is disabled or not there", async () => {
    const stream = await world.make();
    await world.verify(stream);
    const again = await world.ssf.call("POST", world.at("verification"), { stream_id: stream.id });
    expect(again.status).toBe(429);
    expect(again.headers.get("retry-after")).toBe("5");
    await world.ssf.call("POST", world.at("status"), { stream_id: stream.id, status: "disabled" });
    expect((await world.ssf.call("POST", world.at("verification"), { stream_id: stream.id })).status).toBe(
      400,
    );
    expect(
      (await world.ssf.call("POST", world.at("verification"), { stream_id: newId("stream") })).status,
    ).toBe(404);
    await world.remove(stream.id);
  });
});

describe("a push", () => {
  test("carries the media type, the header that was asked for, and what happened", async () => {
    const delivery = world.pushTo({ authorization_header: "Bearer of-the-receiver" });
    const stream = await world.make({ delivery });
    const type = await world.happen();
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(1));
    const [posted] = world.receiver.at(stream.path);
    expect(posted?.headers).toMatchObject({
      "content-type": "application/secevent+jwt",
      accept: "application/json",
      authorization: "Bearer of-the-receiver",
    });
    const [set] = await world.pushed(stream);
    expect(set).toMatchObject({
      type,
      claims: {
        sub_id: { format: "opaque", id: await world.agent() },
        seq: 1,
        txn: expect.stringMatching(/^evt_/),
      },
      data: { organization_id: world.running.tenant, event_timestamp: expect.any(Number) },
    });
    await eventually(async () => expect((await world.poll(stream)).sets).toEqual({}));
    await world.remove(stream.id);
  });

  test("carries no header that was not asked for", async () => {
    const stream = await world.make({ delivery: world.pushTo() });
    await world.verify(stream);
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(1));
    expect(world.receiver.at(stream.path)[0]?.headers.authorization).toBeUndefined();
    await world.remove(stream.id);
  });
});
