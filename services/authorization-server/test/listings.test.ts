import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { verifyAgentCardSignature } from "@a2a-js/sdk";
import { publicJwkOf } from "@remit/protocol";
import { ToldListing } from "@remit/protocol/contracts";
import { generateJwk } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, callAsAdmin, read } from "./client.ts";
import { agentIn, anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { operatorSecret } from "./operator.ts";
import { type Running, startServer, startWith } from "./running.ts";

// The directory as far as it is told of agents: it keeps what it hears, in order, or fails on request.
const heard: ToldListing[] = [];
let failing: "answers 500" | "says nothing" | undefined;
let directory: Server;
let running: Running;
let operator: Management;

beforeAll(async () => {
  directory = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const path = `${req.method} ${req.url}`;
      if (path !== "PUT /api/v1/listings") return void res.writeHead(404).end();
      if (failing === "says nothing") return void res.destroy();
      // Strict: a member that is not for everybody would be refused here.
      const word = ToldListing.parse(JSON.parse(Buffer.concat(chunks).toString()));
      if (failing === undefined) heard.push(word);
      res.writeHead(failing === undefined ? 204 : 500).end();
    });
  });
  await new Promise<void>((resolve) => directory.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this shape.
  const origin = `http://127.0.0.1:${(directory.address() as AddressInfo).port}`;
  running = {
    ...(await startServer({ directory: origin, outboundAllow: [new URL(origin).host] })),
    directory: origin,
  };
  const made = await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal: { email: "ada@example.com", name: "Ada", password: "correct horse battery staple" },
    admin: { clientSecret: "an-admin-secret-of-many-random-bits-0123456789" },
    operator: { clientSecret: operatorSecret },
  });
  operator = new Management(
    { issuer: running.issuer, adminId: String(made.operator?.clientId) },
    operatorSecret,
  );
});

afterAll(async () => {
  await running.close();
  directory.closeAllConnections();
  await new Promise((resolve) => directory.close(resolve));
});

/** For another process of the same installation. */
const inPlaceOf = () => {
  const { dataDir, issuer, directory: at } = running;
  return { dataDir, issuer, directory: at, outboundAllow: [new URL(at).host] };
};

const call = (method: string, path: string, body?: object): Promise<Answer> =>
  callAsAdmin(running, { method, path, ...(body === undefined ? {} : { body }) });
const post = (path: string): Promise<Answer> => call("POST", path);
const publicAgent = (more: object = {}): Promise<string> =>
  agentIn(running, {
    name: "Resume screener",
    isPublic: true,
    dpopJwk: publicJwkOf(generateJwk("ES256")),
    ...more,
  });

/** What the directory shows of an agent by all that it heard: by the highest revision, whatever the order. */
const shown = (id: string): NonNullable<ToldListing["agent"]>["listing"] | undefined =>
  heard
    .flatMap(({ agent }) => (agent?.id === id ? [agent] : []))
    .toSorted((a, b) => b.revision - a.revision)[0]?.listing;
const standing = (tenant: string): string | undefined =>
  heard
    .flatMap(({ publisher }) => (publisher.tenant === tenant ? [publisher] : []))
    .toSorted((a, b) => b.revision - a.revision)[0]?.standing;
const isShown = (id: string): Promise<unknown> => eventually(() => expect(shown(id)).toBeTruthy());
const isGone = (id: string): Promise<unknown> => eventually(() => expect(shown(id)).toBeNull());

describe("the directory", () => {
  test("is told of a public agent what everybody may know, with its DID document and its signed card", async () => {
    const id = await publicAgent({ email: "hidden@agents.example", owner: "hidden-team" });
    await isShown(id);
    const listing = shown(id);
    expect(listing).toMatchObject({
      name: "Resume screener",
      agentType: "screener",
      version: "1.4.0",
      capabilities: ["resume:read", "email:send"],
      deploymentEnv: "production",
      // Ada's organization is a person's, whose name is not told.
      provider: null,
      didDocument: (await read(await fetch(`${running.issuer}/agents/${id}/did.json`))).body,
    });
    expect(JSON.stringify(listing)).not.toMatch(/hidden|oid4ac|talent-team/);
    const { keys } = (await (await fetch(`${running.issuer}/.well-known/jwks.json`)).json()) as {
      keys: Record<string, string>[];
    };
    const verify = verifyAgentCardSignature(async (kid) => keys.find((key) => key["kid"] === kid) ?? {});
    await verify(listing?.card as unknown as Parameters<typeof verify>[0]); // a card of the SDK's schema, as others test
  });

  test("is told of each change, and of none of a private agent", async () => {
    const id = await publicAgent();
    const hidden = await agentIn(running);
    await isShown(id);
    await call("PATCH", `/api/v1/agents/${id}`, { version: "2.0.0", capabilities: ["resume:write"] });
    await eventually(() =>
      expect(shown(id)).toMatchObject({ version: "2.0.0", capabilities: ["resume:write"] }),
    );
    await call("PATCH", `/api/v1/agents/${hidden}`, { version: "2.0.0" });
    await post(`/api/v1/agents/${hidden}/suspend`);
    await call("PATCH", `/api/v1/agents/${id}`, { name: "Told last" });
    await eventually(() => expect(shown(id)).toMatchObject({ name: "Told last" }));
    expect(heard.some(({ agent }) => agent?.id === hidden)).toBe(false);
  });

  test.each([
    ["unpublished", (id: string) => call("PATCH", `/api/v1/agents/${id}`, { isPublic: false })],
    ["suspended", (id: string) => post(`/api/v1/agents/${id}/suspend`)],
    ["decommissioned", (id: string) => call("DELETE", `/api/v1/agents/${id}`)],
  ])("hears at once that an agent was %s, and nothing else of it any more", async (_, withdraw) => {
    const id = await publicAgent();
    await isShown(id);
    expect((await withdraw(id)).status).toBeLessThan(300);
    await isGone(id);
  });

  test("hears of an agent that acts again", async () => {
    const id = await publicAgent();
    await post(`/api/v1/agents/${id}/suspend`);
    await isGone(id);
    await post(`/api/v1/agents/${id}/reactivate`);
    await isShown(id);
  });

  test("hears how an organization stands, whatever its agents do meanwhile", async () => {
    const eve = await anotherTenant(running);
    const id = await agentIn(eve, { isPublic: true });
    await isShown(id);
    const stand = (status: string) =>
      operator.call("PATCH", `/api/v1/organizations/${eve.tenant}`, { status });
    expect((await stand("suspended")).status).toBe(200);
    await eventually(() => expect(standing(eve.tenant)).toBe("suspended"));
    expect((await stand("active")).status).toBe(200);
    await eventually(() => expect(standing(eve.tenant)).toBe("active"));
  });

  test("W09 a withdrawal while it says nothing, or answers 500, is told when it is back, also by another process", async () => {
    const id = await publicAgent();
    await isShown(id);
    failing = "says nothing";
    await post(`/api/v1/agents/${id}/suspend`);
    await failed(id, 1);
    failing = "answers 500";
    await failed(id, 2);
    expect(shown(id)).not.toBeNull();
    failing = undefined;
    const other = await startWith(running.database, inPlaceOf());
    await isGone(id);
    await other.close();
  });

  const failed = (id: string, times: number): Promise<unknown> =>
    eventually(async () => {
      const [job] = await running.database.asAdmin<{ attempts: number }>(
        "select attempts from jobs where queue = 'listings' and key = $1",
        [id],
      );
      return job !== undefined && job.attempts >= times;
    });

  test("C08 of changes at once the newest has the highest revision", async () => {
    const id = await publicAgent();
    await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        post(`/api/v1/agents/${id}/${i % 2 === 0 ? "suspend" : "reactivate"}`),
      ),
    );
    await call("PATCH", `/api/v1/agents/${id}`, { isPublic: false });
    await isGone(id);
    const revisions = heard.flatMap(({ agent }) => (agent?.id === id ? [agent.revision] : []));
    expect(new Set(revisions).size).toBe(revisions.length);
    // Nothing waits that could bring it back.
    await eventually(async () => {
      const waiting = await running.database.asAdmin(
        "select from jobs where queue = 'listings' and key = $1",
        [id],
      );
      return waiting.length === 0;
    });
    expect(shown(id)).toBeNull();
  });

  test("K02 is told anew of what it shows once another key signs cards, and once a day of all, withdrawn or not", async () => {
    const [resigned, shownLong, goneLong] = [await publicAgent(), await publicAgent(), await publicAgent()];
    await isShown(goneLong);
    await call("PATCH", `/api/v1/agents/${goneLong}`, { isPublic: false });
    await isGone(goneLong);
    for (const id of [resigned, shownLong]) await isToldOf(id, true);
    await isToldOf(goneLong, false);
    // The next process that does this work begins with it.
    await running.service.close();
    const before = heard.length;
    const put = (statement: string, ids: string[]) => running.database.asAdmin(statement, [ids]);
    await put("update listings set kid = 'of-a-former-key' where subject = any($1)", [resigned]);
    await put("update listings set told_at = 'epoch' where subject = any($1)", [shownLong, goneLong]);
    await running.database.asAdmin("update schedules set due_at = 'epoch' where name = 'listings.again'");
    const other = await startWith(running.database, inPlaceOf());
    for (const id of [resigned, shownLong, goneLong])
      await eventually(() => expect(heard.slice(before).map(({ agent }) => agent?.id)).toContain(id));
    expect(shown(goneLong)).toBeNull();
    await other.close();
  });

  const isToldOf = (id: string, isListed: boolean): Promise<unknown> =>
    eventually(async () => {
      const [row] = await running.database.asAdmin<{ listed: boolean }>(
        "select kid is not null as listed from listings where subject = $1 and told_at is not null",
        [id],
      );
      return row?.listed === isListed;
    });
});
