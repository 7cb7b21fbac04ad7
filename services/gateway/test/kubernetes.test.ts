import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { evaluate } from "@marcbachmann/cel-js";
import { systemClock } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import { parsePaymentRequired } from "@remit/protocol";
import {
  type Definition,
  eventually,
  type FakeKubernetes,
  fakeKubernetes,
  scratchFolder,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { openKubernetes } from "../src/kubernetes/index.ts";
import { lead } from "../src/kubernetes/lease.ts";
import { createAgent, merchantId, startWorld, type World } from "./world.ts";

const groups = ["remit.example", "obol.org"] as const;
const definitions = groups.map(
  (group): Definition =>
    // The definitions that a cluster is given.
    parse(
      readFileSync(
        new URL(`../../../deploy/kubernetes/serviceoffers.${group}.yaml`, import.meta.url),
        "utf8",
      ),
    ) as Definition,
);

let cluster: FakeKubernetes;
let world: World;
let tokenFile: string;

beforeAll(async () => {
  cluster = await fakeKubernetes({ definitions, cel: (rule, self) => evaluate(rule, { self }) === true });
  tokenFile = path.join(scratchFolder("remit-kubernetes-"), "token");
  await writeFile(tokenFile, `${cluster.token}\n`);
  const kubernetes = {
    server: cluster.origin,
    tokenFile,
    merchant: merchantId,
    namespace: "remit",
    serviceDomain: "",
    leaseS: 2,
    lookMs: 100,
  };
  world = await startWorld({ realTime: true, more: { kubernetes } });
});

afterAll(async () => {
  await world.close();
  await cluster.close();
});

const collectionOf = (group: string): string => `/apis/${group}/v1alpha1/namespaces/shop/serviceoffers`;

type Conditions = Record<string, { status: string; reason: string; message: string }>;
type Resource = {
  metadata: {
    name: string;
    resourceVersion: string;
    generation: number;
    finalizers?: string[];
    deletionTimestamp?: string;
  };
  spec: { path?: string; upstream: object; payment: object };
  status?: {
    observedGeneration: number;
    endpoint: string;
    conditions: ({ type: string } & Conditions[string])[];
  };
};

const resourceOf = (name: string, more: object = {}, payment: object = {}): object => ({
  apiVersion: "obol.org/v1alpha1",
  kind: "ServiceOffer",
  metadata: { name },
  spec: {
    upstream: { service: "127.0.0.1", port: Number(new URL(world.upstream.origin).port) },
    payment: {
      method: "card",
      payWith: ["mandate"],
      card: { account: "acct_1" },
      price: { perRequest: "0.25" },
      ...payment,
    },
    drainGracePeriod: "1s",
    ...more,
  },
});

const read = async (name: string, group = "obol.org"): Promise<Resource> => {
  const { status, body } = await cluster.ask("GET", `${collectionOf(group)}/${name}`);
  expect(status).toBe(200);
  return body as Resource; // what this file wrote
};

const conditionsOf = async (name: string, group?: string): Promise<Conditions> =>
  Object.fromEntries(
    ((await read(name, group)).status?.conditions ?? []).map(({ type, ...rest }) => [type, rest]),
  );

const apply = async (resource: object, group = "obol.org"): Promise<void> => {
  const { status, body } = await cluster.ask("POST", collectionOf(group), resource);
  expect([status, body["message"]]).toEqual([201, undefined]);
};

const becomes = async (
  name: string,
  type: string,
  wanted: Partial<Conditions[string]>,
  group?: string,
): Promise<void> => {
  await eventually(async () => expect((await conditionsOf(name, group))[type]).toMatchObject(wanted));
};

const priceAt = async (target: string): Promise<string | undefined> => {
  const unpaid = await world.ask(target);
  if (unpaid.status !== 402) return undefined;
  return parsePaymentRequired(String(unpaid.headers["payment-required"])).accepts[0]?.amount;
};

describe("a ServiceOffer in a cluster", () => {
  test("both groups have one definition", () => {
    const [ours, obol] = definitions;
    expect(ours?.spec.versions).toEqual(obol?.spec.versions);
  });

  test.each(groups)(
    "one of %s becomes a live paid route with all conditions true, and drains on delete",
    async (group) => {
      const name = `weather-${group.replace(".", "-")}`;
      await apply(resourceOf(name, { registration: { enabled: true } }), group);
      await becomes(name, "Ready", { status: "True" }, group);
      const conditions = await conditionsOf(name, group);
      expect(Object.keys(conditions)).toEqual([
        "ModelReady",
        "UpstreamHealthy",
        "PaymentGateReady",
        "RoutePublished",
        "Registered",
        "Ready",
      ]);
      expect(Object.values(conditions).map(({ status }) => status)).toEqual(Array(6).fill("True"));
      const resource = await read(name, group);
      expect(resource.status).toMatchObject({
        observedGeneration: resource.metadata.generation,
        endpoint: `http://shop.test/services/${name}`,
      });
      expect(resource.metadata.finalizers).toEqual(["monetize.obol.org/finalizer"]);
      // A buyer pays, and the upstream sees its own paths.
      const target = `/services/${name}/today?x=1`;
      expect(await priceAt(target)).toBe("25");
      const unpaid = await world.ask(target);
      const paid = await world.ask(target, { headers: createAgent(world).pay(unpaid) });
      expect(paid.status).toBe(200);
      expect(world.upstream.requests.map(({ url }) => url)).toContain("/today?x=1");
      // Deleted, it is sold for its grace, and gone after it.
      await cluster.ask("DELETE", `${collectionOf(group)}/${name}`);
      await becomes(name, "RoutePublished", { status: "False", reason: "Draining" }, group);
      expect(await priceAt(target)).toBe("25");
      await eventually(async () => {
        expect((await cluster.ask("GET", `${collectionOf(group)}/${name}`)).status).toBe(404);
      });
      expect((await world.ask(target)).status).toBe(404);
    },
  );

  test.each<[string, object, string]>([
    [
      "coins without an address",
      { method: "crypto", payWith: undefined, price: { perRequest: "1" } },
      'ServiceOffer.obol.org "refused" is invalid: spec.payment: Invalid value: "object": payTo and network are required for crypto payments',
    ],
    [
      "a card without an account",
      { card: undefined, payWith: undefined },
      'spec.payment: Invalid value: "object": card.account is required for card payments',
    ],
    [
      "two prices",
      { price: { perRequest: "1", perMTok: "1" } },
      'spec.payment.price: Invalid value: "object": exactly one of perRequest, perMTok, perHour, perEpoch and perMB is required',
    ],
    ["an address that is none", { payTo: "0x12" }, "should match '^0x[0-9a-fA-F]{40}$'"],
    ["a method nobody has", { method: "cash" }, 'Unsupported value: "cash"'],
  ])("%s is refused with the rule's message", async (_what, payment, message) => {
    const { status, body } = await cluster.ask(
      "POST",
      collectionOf("obol.org"),
      resourceOf("refused", {}, payment),
    );
    expect([status, body["reason"]]).toEqual([422, "Invalid"]);
    expect(body["message"]).toContain(message);
  });

  test.each([
    ["perMTok", "20.005", "3"],
    ["perMB", "0.25", "25"],
    ["perHour", "6.00", "50"],
  ])(
    "a price %s holds what one request is expected to use, unless it says how much",
    async (by, price, held) => {
      const name = by.toLowerCase();
      await apply(resourceOf(name, {}, { price: { [by]: price } }));
      await becomes(name, "Ready", { status: "True" });
      expect(await priceAt(`/services/${name}/x`)).toBe(held);
      const { spec } = await read(name);
      await cluster.ask("PATCH", `${collectionOf("obol.org")}/${name}`, {
        spec: { ...spec, payment: { ...spec.payment, price: { [by]: price, ceiling: "7.00" } } },
      });
      await eventually(async () => expect(await priceAt(`/services/${name}/x`)).toBe("700"));
    },
  );

  test("a change is followed, and the conditions say of which generation they are", async () => {
    await apply(resourceOf("changing", { path: "/one" }));
    await becomes("changing", "Ready", { status: "True" });
    const { spec } = await read("changing");
    await cluster.ask("PATCH", `${collectionOf("obol.org")}/changing`, {
      spec: { ...spec, path: "/two", payment: { ...spec.payment, price: { perRequest: "0.75" } } },
    });
    await eventually(async () => expect(await priceAt("/two/x")).toBe("75"));
    expect(await priceAt("/one/x")).toBeUndefined();
    await eventually(async () => expect((await read("changing")).status?.observedGeneration).toBe(2));
  });

  test("what waits for a step that failed is unknown, and is sold once it comes right", async () => {
    await apply(resourceOf("ill", { upstream: { service: "127.0.0.1", port: 1 } }));
    await becomes("ill", "UpstreamHealthy", { status: "False", reason: "UpstreamUnreachable" });
    expect(await conditionsOf("ill")).toMatchObject({
      ModelReady: { status: "True", reason: "NotRequired" },
      PaymentGateReady: { status: "Unknown", reason: "Waiting" },
      RoutePublished: { status: "Unknown" },
      Ready: { status: "False", message: expect.stringContaining("UpstreamHealthy") },
    });
    expect((await world.ask("/services/ill/x")).status).toBe(404);
    const upstream = { service: "127.0.0.1", port: Number(new URL(world.upstream.origin).port) };
    await cluster.ask("PATCH", `${collectionOf("obol.org")}/ill`, { spec: { upstream } });
    await becomes("ill", "Ready", { status: "True" });
    expect(await priceAt("/services/ill/x")).toBe("25");
  });

  test("what is sold already is a conflict, and the resource says by whom", async () => {
    await apply(resourceOf("taken", { path: "/demo/report" }));
    await becomes("taken", "RoutePublished", { status: "False", reason: "RouteConflict" });
    expect((await conditionsOf("taken"))["RoutePublished"]?.message).toContain("is sold already, by report");
    expect(await priceAt("/demo/report")).toBe("1000");
  });

  test("drainAt in the past ends it, and taking it back sells it again", async () => {
    await apply(resourceOf("ending", { drainAt: "2026-01-01T00:00:00Z" }));
    await becomes("ending", "RoutePublished", { status: "False", reason: "Drained" });
    expect((await world.ask("/services/ending/x")).status).toBe(404);
    await cluster.ask("PATCH", `${collectionOf("obol.org")}/ending`, { spec: { drainAt: null } });
    await becomes("ending", "Ready", { status: "True" });
    expect(await priceAt("/services/ending/x")).toBe("25");
  });

  test("a watch that broke goes on, and one whose past is forgotten begins with a new list", async () => {
    await apply(resourceOf("watched"));
    await becomes("watched", "Ready", { status: "True" });
    const lists = (): number =>
      cluster.requests.filter((line) => line.includes("obol.org") && line.includes("?limit=")).length;
    const before = lists();
    cluster.bookmark();
    cluster.breakWatches();
    await apply(resourceOf("after-the-break"));
    await becomes("after-the-break", "Ready", { status: "True" });
    expect(lists()).toBe(before);
    cluster.compact();
    await apply(resourceOf("after-the-gap"));
    await becomes("after-the-gap", "Ready", { status: "True" });
    expect(lists()).toBeGreaterThan(before);
  });

  test("a status that says nothing new is not written again", async () => {
    await apply(resourceOf("quiet"));
    await becomes("quiet", "Ready", { status: "True" });
    const { metadata } = await read("quiet");
    const written = (): number =>
      cluster.requests.filter((line) => line === `PATCH ${collectionOf("obol.org")}/quiet/status`).length;
    const before = written();
    cluster.compact(); // everything is listed and looked at again
    await apply(resourceOf("later"));
    await becomes("later", "Ready", { status: "True" });
    expect(written()).toBe(before);
    expect((await read("quiet")).metadata.resourceVersion).toBe(metadata.resourceVersion);
  });

  test("one process holds the lease, and says so", async () => {
    const lease = await cluster.ask(
      "GET",
      "/apis/coordination.k8s.io/v1/namespaces/remit/leases/remit-gateway-serviceoffers",
    );
    expect(lease.body).toMatchObject({ spec: { leaseDurationSeconds: 2, leaseTransitions: 0 } });
  });

  test("of two that want a lease one acts, and the other takes over once it stops", async () => {
    const client = await openKubernetes({ server: cluster.origin, tokenFile });
    const log = createLog({ service: "gateway", level: "silent" });
    const contend = (identity: string) => {
      const stop = new AbortController();
      const lease = { client, namespace: "remit", name: "duel", identity, durationS: 1 };
      return { stop, ...lead({ ...lease, clock: systemClock, log, signal: stop.signal }) };
    };
    const both = [contend("a"), contend("b")];
    const leaders = () => both.filter(({ isLeader }) => isLeader());
    await eventually(() => expect(leaders()).toHaveLength(1));
    const [first] = leaders();
    first?.stop.abort();
    await first?.ended;
    expect(first?.isLeader()).toBe(false);
    await eventually(() => expect(leaders()).toHaveLength(1));
    for (const { stop, ended } of both) {
      stop.abort();
      await ended;
    }
    await client.close();
  });
});
