import { newId } from "@remit/kernel";
import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { signalTypes } from "@remit/protocol";
import { pushMethod } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Management } from "../management.ts";
import { adminSecret, startServer, startWith } from "../running.ts";
import { readSet, startSetReceiver } from "./receiver.ts";
import { type Made, startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

/** All that waits, in the order of its places. */
async function waitingOn(of: Made) {
  const { sets } = await world.poll(of);
  const read = await Promise.all(Object.values(sets).map((token) => world.read(token, of)));
  return read.toSorted((a, b) => a.claims.seq - b.claims.seq);
}
const seqs = async (of: Made): Promise<number[]> => (await waitingOn(of)).map(({ claims }) => claims.seq);
/** Happens so many times, each in its turn told before the next. */
async function happenOn(of: Made, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const before = await seqs(of);
    await world.happen();
    await eventually(async () => expect((await seqs(of)).length).toBe(before.length + 1));
  }
}

describe("a poll (RFC 8936)", () => {
  test("only polls, only acknowledges, and does both", async () => {
    const stream = await world.make();
    await happenOn(stream, 3);
    const { sets, moreAvailable } = await world.poll(stream, { maxEvents: 2, returnImmediately: true });
    const [first = "", second = ""] = Object.keys(sets);
    expect([Object.keys(sets).length, moreAvailable]).toEqual([2, true]);
    // What was not acknowledged is told again.
    expect(Object.keys((await world.poll(stream)).sets)).toHaveLength(3);
    const acked = await world.poll(stream, { maxEvents: 0, ack: [first], returnImmediately: true });
    expect(acked).toEqual({ sets: {}, moreAvailable: true });
    const both = await world.poll(stream, { ack: [second], returnImmediately: true });
    expect(Object.keys(both.sets)).toHaveLength(1);
    expect(both.moreAvailable).toBe(false);
    const last = Object.keys(both.sets);
    expect(await world.poll(stream, { ack: last, returnImmediately: true })).toEqual({
      sets: {},
      moreAvailable: false,
    });
    await world.remove(stream.id);
  });

  test("says each under its own jti, with places from one and no gap, and one txn for one event", async () => {
    const [one, two] = [await world.make(), await world.make()];
    await happenOn(one, 2);
    await eventually(async () => expect(await seqs(two)).toEqual([1, 2]));
    const { sets } = await world.poll(one);
    for (const [jti, token] of Object.entries(sets))
      expect((await world.read(token, one)).claims.jti).toBe(jti);
    const [ofOne, ofTwo] = [await waitingOn(one), await waitingOn(two)];
    expect(ofOne.map(({ claims }) => claims.seq)).toEqual([1, 2]);
    expect(ofOne.map(({ claims }) => claims.txn)).toEqual(ofTwo.map(({ claims }) => claims.txn));
    expect(ofOne.map(({ claims }) => claims.jti)).not.toEqual(ofTwo.map(({ claims }) => claims.jti));
    await Promise.all([world.remove(one.id), world.remove(two.id)]);
  });

  test("waits for what comes, and is answered when it does", async () => {
    const stream = await world.make();
    const patient = world.poll(stream, {});
    await world.verify(stream, "now");
    const { sets } = await patient;
    const [token = ""] = Object.values(sets);
    expect((await world.read(token, stream)).data).toEqual({ state: "now" });
    await world.remove(stream.id);
  });

  test("that would not take a token does not get it again", async () => {
    const stream = await world.make();
    await happenOn(stream, 2);
    const [bad = "", good = ""] = Object.keys((await world.poll(stream)).sets);
    const setErrs = { [bad]: { err: "invalid_key", description: "of nobody" } };
    const left = await world.poll(stream, { setErrs, returnImmediately: true });
    expect(Object.keys(left.sets)).toEqual([good]);
    await world.remove(stream.id);
  });

  test.each<[string, object]>([
    ["maxEvents below nothing", { maxEvents: -1 }],
    ["ack that is no list", { ack: "sig_1" }],
    ["setErrs without err", { setErrs: { sig_1: {} } }],
  ])("with %s is refused", async (_, wrong) => {
    const stream = await world.make();
    expect((await world.ssf.call("POST", stream.poll, wrong)).status).toBe(400);
    await world.remove(stream.id);
  });

  test("of a stream that is not there is refused with 404", async () => {
    const path = `/api/v1/streams/${newId("stream")}/poll`;
    expect((await world.ssf.call("POST", path, { returnImmediately: true })).status).toBe(404);
  });
});

describe("a push (RFC 8935)", () => {
  test("that the receiver cannot take now is made again, and fetched by a poll meanwhile", async () => {
    const delivery = world.pushTo();
    const stream = await world.make({ delivery });
    world.receiver.answer(stream.path, { status: 503 });
    await world.verify(stream, "first");
    await world.verify(stream, "second");
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(1));
    // Neither came: the gap is fetched.
    await eventually(async () => expect(await seqs(stream)).toEqual([1, 2]));
    await world.running.database.asAdmin(
      "update signal_lanes set due_at = now() where stream_id = $1 and leased_until is null",
      [stream.id],
    );
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(3));
    const told = await world.pushed(stream);
    expect(told.map(({ data }) => data["state"])).toEqual(["first", "first", "second"]);
    expect(told[0]?.claims.jti).toBe(told[1]?.claims.jti);
    await eventually(async () => expect(await seqs(stream)).toEqual([]));
    await world.remove(stream.id);
  });

  test("that the receiver will never take is not made again", async () => {
    const stream = await world.make({ delivery: world.pushTo() });
    world.receiver.answer(stream.path, {
      status: 400,
      body: { err: "invalid_audience", description: "not mine" },
    });
    await world.verify(stream, "first");
    await world.verify(stream, "second");
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(2));
    expect((await world.pushed(stream)).map(({ data }) => data["state"])).toEqual(["first", "second"]);
    await eventually(async () => expect(await seqs(stream)).toEqual([]));
    await world.remove(stream.id);
  });

  test("that was fetched and acknowledged by a poll is not made", async () => {
    const stream = await world.make({ delivery: world.pushTo() });
    world.receiver.answer(stream.path, { status: 500 });
    await world.verify(stream, "first");
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(1));
    await eventually(async () => expect(await seqs(stream)).toEqual([1]));
    await world.poll(stream, { ack: Object.keys((await world.poll(stream)).sets), returnImmediately: true });
    await world.verify(stream, "second");
    await world.running.database.asAdmin("update signal_lanes set due_at = now() where stream_id = $1", [
      stream.id,
    ]);
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(2));
    expect((await world.pushed(stream)).map(({ data }) => data["state"])).toEqual(["first", "second"]);
    await world.remove(stream.id);
  });

  test("to a receiver that has failed for days is made no more: the stream is paused and keeps what it would tell", async () => {
    const stream = await world.make({ delivery: world.pushTo() });
    await world.running.database.asAdmin(
      "update signal_streams set failures = 90, failing_since = now() - interval '4 days' where id = $1",
      [stream.id],
    );
    world.receiver.answer(stream.path, { status: 500 });
    await world.verify(stream);
    await eventually(async () =>
      expect((await world.ssf.call("GET", world.at("status") + world.named(stream.id))).body).toMatchObject({
        status: "paused",
        reason: expect.stringContaining("days"),
      }),
    );
    expect(await seqs(stream)).toEqual([]);
    await world.setStatus(stream, "enabled");
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(3));
    expect((await world.pushed(stream)).map(({ type, data }) => [type, data["status"]])).toEqual([
      [signalTypes["ssf.verification"], undefined],
      [signalTypes["ssf.verification"], undefined],
      [signalTypes["ssf.stream-updated"], "paused"],
    ]);
    await world.remove(stream.id);
  });
});

describe("the status of a stream", () => {
  test("paused keeps what happens, and tells it once enabled, in its order", async () => {
    const stream = await world.make({ delivery: world.pushTo() });
    await world.setStatus(stream, "paused", "maintenance");
    const state = (await world.ssf.call("GET", world.at("status") + world.named(stream.id))).body;
    expect(state).toEqual({ stream_id: stream.id, status: "paused", reason: "maintenance" });
    const types = [await world.happen(), await world.happen()];
    await eventually(async () =>
      expect(
        await world.running.database.asAdmin("select seq from signals where stream_id = $1", [stream.id]),
      ).toHaveLength(2),
    );
    expect(await seqs(stream)).toEqual([]);
    expect(world.receiver.at(stream.path)).toHaveLength(0);
    await world.setStatus(stream, "enabled");
    await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(2));
    const told = await world.pushed(stream);
    expect(told.map(({ type, claims }) => [type, claims.seq])).toEqual([
      [types[0], 1],
      [types[1], 2],
    ]);
    await world.remove(stream.id);
  });

  test("disabled drops what waited and what happens", async () => {
    const [stream, witness] = [await world.make(), await world.make()];
    await happenOn(stream, 1);
    await world.setStatus(stream, "disabled");
    await happenOn(witness, 1);
    await world.setStatus(stream, "enabled");
    expect(await seqs(stream)).toEqual([]);
    await happenOn(stream, 1);
    // No place was given to what was dropped meanwhile.
    expect(await seqs(stream)).toEqual([2]);
    await Promise.all([world.remove(stream.id), world.remove(witness.id)]);
  });

  test("is one of three, of a stream that is there", async () => {
    const stream = await world.make();
    const post = (body: object) => world.ssf.call("POST", world.at("status"), body);
    expect((await post({ stream_id: stream.id, status: "asleep" })).status).toBe(400);
    expect((await post({ stream_id: newId("stream"), status: "paused" })).status).toBe(404);
    await world.remove(stream.id);
  });
});

describe("a subject", () => {
  test("that was removed is not told of, until it is added again; another one is", async () => {
    const stream = await world.make();
    const subject = { id: await world.agent(), format: "opaque" };
    const removed = await world.ssf.call("POST", world.at("remove_subject"), {
      stream_id: stream.id,
      subject,
    });
    expect(removed.status).toBe(204);
    const witness = await world.make();
    await happenOn(witness, 1);
    expect(await seqs(stream)).toEqual([]);
    const added = await world.ssf.call("POST", world.at("add_subject"), { stream_id: stream.id, subject });
    expect(added.status).toBe(200);
    await happenOn(stream, 1);
    expect(await seqs(stream)).toEqual([1]);
    await Promise.all([world.remove(stream.id), world.remove(witness.id)]);
  });

  test("of no format is refused", async () => {
    const stream = await world.make();
    const answer = await world.ssf.call("POST", world.at("add_subject"), {
      stream_id: stream.id,
      subject: { id: "mnd" },
    });
    expect(answer.status).toBe(400);
    await world.remove(stream.id);
  });
});

test("a stream hears only what it asked for", async () => {
  const stream = await world.make({ events_requested: [signalTypes["oid4ac.agent.resumed"]] });
  const witness = await world.make();
  await happenOn(witness, 2);
  expect((await waitingOn(stream)).map(({ type }) => type)).toEqual([signalTypes["oid4ac.agent.resumed"]]);
  expect(await seqs(stream)).toEqual([1]);
  await Promise.all([world.remove(stream.id), world.remove(witness.id)]);
});

test("D01 two processes at once give no place twice, and push nothing twice", async () => {
  const { running } = world;
  const second = await startWith(running.database, {
    issuer: running.issuer,
    dataDir: running.dataDir,
    tenantOutboundAllow: [world.receiver.host],
  });
  const stream = await world.make({ delivery: world.pushTo() });
  for (let time = 0; time < 12; time++) await world.happen();
  await eventually(() => expect(world.receiver.at(stream.path).length).toBeGreaterThanOrEqual(12));
  const told = await world.pushed(stream);
  expect(told.map(({ claims }) => claims.seq)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  expect(new Set(told.map(({ claims }) => claims.txn)).size).toBe(12);
  await world.remove(stream.id);
  await second.close();
});

test("D01 a process that dies between the receiver's yes and writing it down has it sent again, under the same jti", async () => {
  const stream = await world.make({ delivery: world.pushTo() });
  setFailpoint(failpointOf("signals.pushed:error", "test"));
  await world.verify(stream, "once more");
  await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(1));
  // Its lease is left behind, as a dead process leaves it, and runs out.
  await world.running.database.asAdmin(
    "update signal_lanes set leased_until = now() - interval '1 s' where stream_id = $1",
    [stream.id],
  );
  await eventually(() => expect(world.receiver.at(stream.path)).toHaveLength(2));
  const [first, again] = await world.pushed(stream);
  expect(again?.claims).toEqual(first?.claims);
  await eventually(async () => expect(await seqs(stream)).toEqual([]));
  await world.remove(stream.id);
});

test("D01 what was written before the process ended is pushed by the one that starts next, each under its place", async () => {
  const receiver = await startSetReceiver();
  const more = { tenantOutboundAllow: [receiver.host] };
  const running = await startServer(more);
  const ssf = new Management(running, adminSecret, "ssf.manage");
  const delivery = { method: pushMethod, endpoint_url: `${receiver.origin}/r` };
  const { body } = await ssf.call("POST", "/api/v1/streams", { delivery });
  const named = { stream_id: String(body["stream_id"]) };
  // Nothing is pushed while it is paused; what is written waits.
  await ssf.call("POST", "/api/v1/streams/status", { ...named, status: "paused" });
  expect((await ssf.call("POST", "/api/v1/streams/verify", { ...named, state: "before" })).status).toBe(204);
  await running.service.close();
  await running.database.asAdmin("update signal_streams set status = 'enabled'");
  await running.database.asAdmin("update signal_lanes set due_at = now(), leased_until = null");
  const next = await startWith(running.database, {
    ...more,
    issuer: running.issuer,
    dataDir: running.dataDir,
  });
  await eventually(() => expect(receiver.at("/r")).toHaveLength(1));
  const [posted] = receiver.at("/r");
  const jwksUri = `${next.service.origin}/oauth/jwks.json`;
  const told = await readSet(posted?.body ?? "", {
    jwksUri,
    issuer: running.issuer,
    audience: String(body["aud"]),
  });
  expect(told).toMatchObject({ data: { state: "before" }, claims: { seq: 1 } });
  await next.close();
  await running.database.drop();
  await receiver.close();
});
