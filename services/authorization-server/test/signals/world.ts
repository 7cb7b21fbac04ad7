import { signalTypes } from "@remit/protocol";
import { pushMethod, SsfConfiguration } from "@remit/protocol/contracts";
import { expect } from "vitest";
import { agentIn } from "../fleet.ts";
import { Management } from "../management.ts";
import { adminSecret, type Running, startServer } from "../running.ts";
import { readSet, type Set, type SetReceiver, startSetReceiver } from "./receiver.ts";

export type Endpoint = "configuration" | "status" | "verification" | "add_subject" | "remove_subject";
export type Made = {
  readonly id: string;
  readonly aud: string;
  readonly poll: string;
  /** At the receiver, of one that is pushed. */
  readonly path: string;
};
export type Polled = { readonly sets: Readonly<Record<string, string>>; readonly moreAvailable?: boolean };

/** A server, who manages its streams, and a receiver. */
export type World = Awaited<ReturnType<typeof startWorld>>;

export async function startWorld(more: { readonly metricsPort?: number } = {}) {
  const receiver = await startSetReceiver();
  const inside = await startSetReceiver();
  const allowed = { outboundAllow: [inside.host], tenantOutboundAllow: [receiver.host] };
  const running = await startServer({ ...allowed, ...more });
  const document = await fetch(`${running.issuer}/.well-known/ssf-configuration`);
  const found = SsfConfiguration.parse(await document.json());
  const ssf = new Management(running, adminSecret, "ssf.manage ssf.read");
  return {
    running,
    receiver,
    inside,
    found,
    ssf,
    ...callsOf({ running, receiver, found, ssf }),
    ...happenings(running),
    close: async () => {
      await running.close();
      await Promise.all([receiver.close(), inside.close()]);
    },
  };
}

type Parts = {
  readonly running: Running;
  readonly receiver: SetReceiver;
  readonly found: SsfConfiguration;
  readonly ssf: Management;
};

function callsOf({ running, receiver, found, ssf }: Parts) {
  const pathOf = (url: string): string => url.slice(running.issuer.length);
  const at = (name: Endpoint): string => pathOf(found[`${name}_endpoint`]);
  const named = (id: string): string => `?stream_id=${id}`;
  let count = 0;
  const read = (token: string, { aud }: Pick<Made, "aud">): Promise<Set> =>
    readSet(token, { jwksUri: found.jwks_uri, issuer: found.issuer, audience: aud });
  return {
    pathOf,
    at,
    named,
    read,
    /** An address of its own at the receiver. */
    pushTo: (more: object = {}) => {
      count += 1;
      return { method: pushMethod, endpoint_url: `${receiver.origin}/r${count}`, ...more };
    },
    make: async (wanted: object = {}): Promise<Made> => {
      const { status, body } = await ssf.call("POST", at("configuration"), wanted);
      expect(status, JSON.stringify(body)).toBe(201);
      const delivery = body["delivery"] as { endpoint_url: string }; // of its contract
      return {
        id: String(body["stream_id"]),
        aud: String(body["aud"]),
        poll: pathOf(String(body["poll_endpoint"])),
        path: new URL(delivery.endpoint_url).pathname,
      };
    },
    remove: (id: string) => ssf.call("DELETE", at("configuration") + named(id)),
    /** What was pushed, read. */
    pushed: (of: Made): Promise<Set[]> => Promise.all(receiver.at(of.path).map(({ body }) => read(body, of))),
    poll: async (of: Made, asked: object = { returnImmediately: true }): Promise<Polled> => {
      const { status, body } = await ssf.call("POST", of.poll, asked);
      expect(status, JSON.stringify(body)).toBe(200);
      return body as unknown as Polled; // its contract
    },
    setStatus: async (of: Made, status: string, reason?: string): Promise<void> => {
      const said = { stream_id: of.id, status, ...(reason === undefined ? {} : { reason }) };
      const answer = await ssf.call("POST", at("status"), said);
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200, body: said });
    },
    /** Asks for a verification, as if none had been asked for just now. */
    verify: async (of: Made, state?: string): Promise<void> => {
      await running.database.asAdmin("update signal_streams set verified_at = null where id = $1", [of.id]);
      const asked = { stream_id: of.id, ...(state === undefined ? {} : { state }) };
      expect((await ssf.call("POST", at("verification"), asked)).status).toBe(204);
    },
  };
}

/** Things that are told: an agent is suspended, and resumed. */
function happenings(running: Running) {
  const agents = new Management(running, adminSecret, "agents:read agents:write");
  let made: Promise<string> | undefined;
  let suspended = false;
  const agent = (): Promise<string> => (made ??= agentIn({ ...running, adminSecret }));
  return {
    agent,
    /** The type of what is told. */
    happen: async (): Promise<string> => {
      const path = `/api/v1/agents/${await agent()}`;
      suspended = !suspended;
      const status = suspended ? "suspended" : "active";
      const changed = await agents.call("PATCH", path, { status });
      expect(changed.status, JSON.stringify(changed.body)).toBe(200);
      return signalTypes[suspended ? "oid4ac.agent.suspended" : "oid4ac.agent.resumed"];
    },
  };
}
