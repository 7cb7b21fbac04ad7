import { newId, systemClock } from "@remit/kernel";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { createPeer, type Peer, type PeerRequest } from "@remit/platform/peers";
import { publicJwkOf, signalTypes } from "@remit/protocol";
import { pushMethod, StreamBody } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Management } from "../management.ts";
import { adminSecret, newKeys, type Running, startServer } from "../running.ts";
import { readSet, type SetReceiver, startSetReceiver } from "./receiver.ts";

// Billing, by the client that it has in production, at the issuer that it hears.

const keys = newKeys();
let billing: SetReceiver;
let running: Running;
let outbound: Outbound;
let peer: Peer;

beforeAll(async () => {
  billing = await startSetReceiver();
  const jwks = { status: 200, body: { keys: [publicJwkOf(keys.assertion)] } };
  billing.answer("/.well-known/jwks.json", ...Array.from({ length: 20 }, () => jwks));
  running = await startServer({ peers: { billing: billing.origin }, outboundAllow: [billing.host] });
  outbound = createOutbound({ allow: [new URL(running.issuer).host] });
  peer = createPeer({
    issuer: running.issuer,
    clientId: "billing",
    assertionKey: keys.assertion,
    dpopKey: keys.dpop,
    outbound,
    clock: systemClock,
  });
});
afterAll(async () => {
  await running?.close();
  await outbound?.close();
  await billing?.close();
});

const call = (method: PeerRequest["method"], path: string, body?: object) =>
  peer.call({
    origin: running.issuer,
    method,
    path,
    scope: "ssf.manage",
    ...(body === undefined ? {} : { body }),
  });
const create = async (delivery: object): Promise<StreamBody> => {
  const { status, body } = await call("POST", "/api/v1/streams", { delivery });
  expect(status, JSON.stringify(body)).toBe(201);
  return StreamBody.parse(body);
};

describe("a service of ours", () => {
  test("hears at its own origin, through the operator's door, what money and mandates do", async () => {
    const stream = await create({ method: pushMethod, endpoint_url: `${billing.origin}/signals` });
    expect(stream.aud).toBe(billing.origin);
    expect(stream.events_delivered).toContain(signalTypes["oid4ac.payment.succeeded"]);
    expect(stream.events_delivered).not.toContain(signalTypes["caep.session-revoked"]);
    const asked = { stream_id: stream.stream_id, state: "hello" };
    expect((await call("POST", "/api/v1/streams/verify", asked)).status).toBe(204);
    await eventually(() => expect(billing.at("/signals")).toHaveLength(1));
    const [posted] = billing.at("/signals");
    const told = await readSet(posted?.body ?? "", {
      jwksUri: `${running.issuer}/oauth/jwks.json`,
      issuer: running.issuer,
      audience: billing.origin,
    });
    expect(told).toMatchObject({ data: { state: "hello" }, claims: { seq: 1 } });
    expect((await call("DELETE", `/api/v1/streams?stream_id=${stream.stream_id}`)).status).toBe(204);
  });

  test("W01 is told nowhere else", async () => {
    const delivery = { method: pushMethod, endpoint_url: "https://receiver.example/signals" };
    expect(await call("POST", "/api/v1/streams", { delivery })).toMatchObject({
      status: 400,
      body: { code: "outbound_refused" },
    });
  });

  test("T10 has streams that no organization finds, and finds none of theirs", async () => {
    const ours = await create({ method: pushMethod, endpoint_url: `${billing.origin}/ours` });
    const ada = new Management(running, adminSecret, "ssf.manage");
    expect((await ada.call("GET", `/api/v1/streams?stream_id=${ours.stream_id}`)).status).toBe(404);
    const hers = (await ada.call("POST", "/api/v1/streams", {})).body["stream_id"];
    for (const id of [hers, newId("stream")])
      expect((await call("GET", `/api/v1/streams?stream_id=${String(id)}`)).status).toBe(404);
    expect((await call("GET", "/api/v1/streams")).body).toMatchObject([{ stream_id: ours.stream_id }]);
  });
});
