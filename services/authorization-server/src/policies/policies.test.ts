import { createRequire } from "node:module";
import { instantOf, parseId } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { actionsOf } from "./actions.ts";
import { bundled } from "./bundled.ts";
import { createCedar, type Statement } from "./cedar.ts";
import { tooComplex } from "./cedar-limits.ts";
import { opaDataEngine, opaRemoteEngine, parseOpaData } from "./opa.ts";
import { decideBy, type PolicyEngine, type PolicyRequest } from "./port.ts";

const declared = (method: Route["method"], path: string, scope: "agents:read" | "agents:write"): Route =>
  route({
    method,
    path,
    summary: "",
    needs: { scope },
    answers: { 204: nothing, 200: z.unknown() },
    handle: () => ({ status: 204 }),
  });

const actions = actionsOf([
  declared("GET", "/api/v1/agents", "agents:read"),
  declared("GET", "/api/v1/agents/:id", "agents:read"),
  declared("DELETE", "/api/v1/agents/:id", "agents:write"),
  declared("POST", "/api/v1/agents/:id/credentials/:credential/rotate", "agents:write"),
]);
const cedar = createCedar(actions);
const tenant = parseId("tenant", "org_01j00000000000000000000000");
if (tenant === undefined) throw new Error("the id is one");

type More = Omit<Partial<PolicyRequest>, "principal" | "resource"> & {
  readonly principal?: Partial<PolicyRequest["principal"]>;
  readonly resource?: Partial<PolicyRequest["resource"]>;
};
const asking = ({ principal, resource, ...more }: More = {}): PolicyRequest => ({
  tenant,
  principal: {
    type: "client",
    id: "cli_1",
    scopes: ["agents:read", "agents:write"],
    bound: true,
    ...principal,
  },
  client: principal?.id ?? "cli_1",
  actors: [],
  action: "GET:/api/v1/agents/:id",
  resource: { type: "Agent", id: "agt_1", within: [{ type: "Organization", id: tenant }], ...resource },
  ip: "203.0.113.7",
  at: instantOf(Date.UTC(2026, 0, 2, 3, 4, 5)),
  ...more,
});
const removing = (more: More = {}): PolicyRequest => asking({ action: "DELETE:/api/v1/agents/:id", ...more });

const statements = (text: string): Statement[] => {
  const read = cedar.parse(text);
  if ("errors" in read) throw new Error(read.errors.join("; "));
  return read.statements.map((one, at) => ({ id: `p@1#${at + 1}`, text: one }));
};
const withPolicy = (text: string): PolicyEngine => cedar.engine([...bundled, ...statements(text)]);

const noWrites = 'forbid (principal, action in Remit::Action::"write", resource);';

/** Answers as an OPA would that lets nothing be written. */
const answering = (answer: (input: { method: string }) => object | undefined, status = 200): PolicyEngine =>
  opaRemoteEngine("opa", {
    url: "https://opa.example/v1/data/remit/allow",
    outbound: {
      request: async ({ body }) => {
        const found = answer((JSON.parse(String(body)) as { input: { method: string } }).input);
        if (found === undefined) throw new Error("nobody there");
        return { status, headers: {}, body: Buffer.from(JSON.stringify(found)) };
      },
    },
  });

describe.each<[string, () => PolicyEngine]>([
  ["cedar", () => withPolicy(noWrites)],
  [
    "opa_data",
    () => opaDataEngine("data", { endpoint_permissions: { "GET:/api/v1/agents/:id": ["agents:read"] } }),
  ],
  ["opa_remote", () => answering(({ method }) => ({ result: method === "GET" }))],
])("the port, with %s", (_kind, make) => {
  test("allows what it permits, and says by what", async () => {
    const answer = await make().decide(asking());
    expect(answer).toMatchObject({ decision: "allow", errors: [] });
    expect(answer.determining).toHaveLength(1);
  });

  test("denies what it does not, and says by what", async () => {
    const answer = await make().decide(removing());
    expect(answer).toMatchObject({ decision: "deny", errors: [] });
    expect(answer.determining).toHaveLength(1);
  });

  test("T09 keeps no answer of one tenant, principal or scope for another", async () => {
    const engine = make();
    expect((await engine.decide(asking())).decision).toBe("allow");
    expect((await engine.decide(removing())).decision).toBe("deny");
    expect((await engine.decide(asking({ principal: { id: "cli_2" } }))).decision).toBe("allow");
  });
});

describe("Cedar", () => {
  test("denies by default, and a forbid wins over any permit", async () => {
    expect((await cedar.engine(statements(noWrites)).decide(asking())).decision).toBe("deny");
    const both = withPolicy(`permit (principal, action, resource); ${noWrites}`);
    expect(await both.decide(removing())).toMatchObject({ decision: "deny", determining: ["p@1#2"] });
  });

  test("what is bundled allows every call, so that nobody need evaluate it alone", async () => {
    const engine = cedar.engine(bundled);
    for (const { name, resourceType } of actions.values())
      expect((await engine.decide(asking({ action: name, resource: { type: resourceType } }))).decision).toBe(
        "allow",
      );
  });

  test("decides on what is known of an agent, on what a thing is within, on the caller's address and on the time", async () => {
    const production = withPolicy(
      'forbid (principal, action == Remit::Action::"DELETE:/api/v1/agents/:id", resource) when { resource has deploymentEnv && resource.deploymentEnv == "production" };',
    );
    const facts = {
      agentType: "custom",
      owner: undefined,
      status: "active",
      isPublic: false,
      capabilities: [],
    };
    const agent = (deploymentEnv: string) => ({ agent: { ...facts, deploymentEnv } });
    expect((await production.decide(removing({ resource: agent("production") }))).decision).toBe("deny");
    expect((await production.decide(removing({ resource: agent("staging") }))).decision).toBe("allow");
    const within = withPolicy('forbid (principal, action, resource in Remit::Agent::"agt_1");');
    const rotate = (id: string): PolicyRequest =>
      asking({
        action: "POST:/api/v1/agents/:id/credentials/:credential/rotate",
        resource: { type: "Credential", id: "crd_1", within: [{ type: "Agent", id }] },
      });
    expect((await within.decide(rotate("agt_1"))).decision).toBe("deny");
    expect((await within.decide(rotate("agt_2"))).decision).toBe("allow");
    const office = withPolicy(
      'forbid (principal, action, resource) unless { context.ip.isInRange(ip("203.0.113.0/24")) && context.time < datetime("2026-02-01") };',
    );
    expect((await office.decide(asking())).decision).toBe("allow");
    expect((await office.decide(asking({ ip: "::ffff:203.0.113.9" }))).decision).toBe("allow");
    expect((await office.decide(asking({ ip: "198.51.100.1" }))).decision).toBe("deny");
    expect((await office.decide(asking({ at: instantOf(Date.UTC(2026, 2, 1)) }))).decision).toBe("deny");
  });

  test("a forbid that cannot be evaluated forbids: Cedar itself passes over it", async () => {
    // It passes the validation, as no number is known to be too large before it is added up.
    const overflow = withPolicy(
      'forbid (principal, action, resource) when { 9223372036854775807 + (if context.method == "GET" then 1 else 0) == 0 };',
    );
    const answer = await overflow.decide(asking());
    expect(answer).toMatchObject({ decision: "deny", determining: ["p@1#1"] });
    expect(answer.errors[0]).toContain("overflow");
    expect((await overflow.decide(removing())).decision).toBe("allow");
  });

  test("a forbid whose statement could not be read and not be evaluated forbids", async () => {
    const fresh = createCedar(actions);
    const overflow =
      'forbid (principal, action, resource) when { 9223372036854775807 + (if context.method == "GET" then 1 else 0) == 0 };';
    const engine = fresh.engine([...bundled, { id: "overflow", text: overflow }]);
    const require = createRequire(import.meta.url);
    // The module traps once; a fresh one takes its place.
    delete require.cache[require.resolve("@cedar-policy/cedar-wasm/nodejs")];
    const traps = vi.fn(() => {
      throw new Error("unreachable");
    });
    Object.assign(require("@cedar-policy/cedar-wasm/nodejs") as object, { policyToJson: traps });
    expect(await engine.decide(asking())).toMatchObject({ decision: "deny", determining: ["overflow"] });
    expect(traps).toHaveBeenCalledTimes(1);
  });

  test("W10 answers are kept under one bound for all engines, and none that look at the moment", async () => {
    const small = createCedar(actions, 4, 2);
    const [one, other] = [small.engine(bundled), small.engine(bundled)];
    const first = await one.decide(asking());
    expect(await one.decide(asking())).toBe(first);
    await other.decide(asking());
    await other.decide(removing());
    expect(await one.decide(asking())).not.toBe(first);
    const timed = withPolicy(
      'forbid (principal, action, resource) when { context.time > datetime("2030-01-01") };',
    );
    expect(await timed.decide(asking())).not.toBe(await timed.decide(asking()));
  });

  test("a call under both of its names is in the same groups, and in none without a name", () => {
    const under = (path: string) => declared("POST", path, "agents:write");
    const both = actionsOf([under("/api/v1/token/delegate"), under("/oauth2/token/delegate")]);
    expect([...both.values()].map(({ groups }) => groups)).toEqual([
      ["write", "token"],
      ["write", "token"],
    ]);
    expect(() => actionsOf([under("/")])).toThrow();
  });

  test.each([
    ["no Cedar", "allow everybody;"],
    ["an unknown attribute", "permit (principal, action, resource) when { resource.colour == 1 };"],
    [
      "an attribute that may be missing, without has",
      'forbid (principal, action, resource is Remit::Agent) when { resource.owner == "x" };',
    ],
    [
      "an action that there is not",
      'forbid (principal, action == Remit::Action::"PATCH:/nowhere", resource);',
    ],
    ["a template", "permit (principal == ?principal, action, resource);"],
    ["nothing at all", "// later"],
  ])("refuses %s when it is saved", (_what, text) => {
    expect(cedar.parse(text)).toHaveProperty("errors");
  });

  // Any of these takes the stack of the parser, and with it the module for everybody, when it comes through.
  test.each([
    ["brackets", `${"(".repeat(12_000)}true${")".repeat(12_000)}`],
    ["sets", `${"[".repeat(128)}${"]".repeat(128)} == []`],
    ["records", `${"{a:".repeat(3000)}1${"}".repeat(3000)} == 1`],
    ["sums", `${Array(6000).fill("1").join("+")} == 1`],
    ["members", `context${".a".repeat(6000)} == 1`],
    ["alternatives", Array(2000).fill('context.method == "GET"').join("||")],
    ["conditions", `${"if true then ".repeat(1500)}true${" else false".repeat(1500)}`],
  ])(
    "W10 a policy of too many %s is refused before it is parsed, and others decide on",
    async (_what, body) => {
      const read = cedar.parse(`permit (principal, action, resource) when { ${body} };`);
      expect(read).toHaveProperty("errors");
      expect((await withPolicy(noWrites).decide(removing())).decision).toBe("deny");
    },
  );

  test("brackets and operators within texts and comments count for nothing", () => {
    const text = `// ${"(".repeat(100)}\npermit (principal, action, resource) when { context.method like "${"((*".repeat(200)}" };`;
    expect(tooComplex(text)).toBeUndefined();
  });

  test("a module that traps is replaced: what is asked then is denied, what is asked next is decided", async () => {
    const engine = withPolicy(noWrites);
    const deep = cedar.engine([
      ...bundled,
      {
        id: "deep",
        text: `forbid (principal, action, resource) when { ${"(".repeat(9000)}true${")".repeat(9000)} };`,
      },
    ]);
    expect(await deep.decide(asking())).toMatchObject({ decision: "deny", errors: ["Cedar failed"] });
    expect((await engine.decide(asking())).decision).toBe("allow");
    expect((await engine.decide(removing())).decision).toBe("deny");
  });

  test("T09 more sets than the module keeps prepared: each still decides by its own statements", async () => {
    const few = createCedar(actions, 4);
    const engines = Array.from({ length: 9 }, (_, i) => {
      const text = `forbid (principal == Remit::Client::"cli_${i}", action, resource);`;
      return few.engine([...bundled, { id: `only-${i}`, text }]);
    });
    for (const action of ["GET:/api/v1/agents/:id", "GET:/api/v1/agents"])
      for (const [i, engine] of engines.entries()) {
        const as = (id: number): PolicyRequest => asking({ principal: { id: `cli_${id}` }, action });
        expect(await engine.decide(as(i))).toMatchObject({ decision: "deny", determining: [`only-${i}`] });
        expect((await engine.decide(as(i + 1))).decision).toBe("allow");
      }
  });
});

describe("OPA", () => {
  test.each([
    ["is not there", answering(() => undefined)],
    ["fails", answering(() => ({ result: true }), 500)],
    ["knows no such policy", answering(() => ({}))],
    ["says something else", answering(() => ({ result: "yes" }))],
  ])("that %s allows nothing", async (_what, engine) => {
    const answer = await engine.decide(asking());
    expect(answer.decision).toBe("deny");
    expect(answer.errors).toHaveLength(1);
  });

  test("may say why", async () => {
    const engine = answering(() => ({ result: { allow: false, reasons: ["night"] } }));
    expect(await engine.decide(asking())).toEqual({
      decision: "deny",
      determining: ["opa:night"],
      errors: [],
    });
  });

  test.each([
    ["a call that there is not", '{"endpoint_permissions": {"GET:/nowhere": ["agents:read"]}}'],
    ["a scope that there is not", '{"endpoint_permissions": {"GET:/api/v1/agents": ["agents:fly"]}}'],
    ["another member", '{"endpoint_permissions": {}, "default": true}'],
    ["no JSON", "{"],
  ])("data with %s is refused", (_what, text) => {
    expect(parseOpaData(text, actions)).toHaveProperty("errors");
  });

  test("data needs all the scopes that it lists, and denies what it does not list", async () => {
    const engine = opaDataEngine("d", {
      endpoint_permissions: { "GET:/api/v1/agents": ["agents:read", "audit:read"] },
    });
    const list = (scopes: string[]) =>
      engine.decide(asking({ action: "GET:/api/v1/agents", principal: { scopes } }));
    expect((await list(["agents:read"])).decision).toBe("deny");
    expect((await list(["agents:read", "audit:read"])).decision).toBe("allow");
    expect((await engine.decide(asking())).decision).toBe("deny");
  });
});

test("of several engines all must allow, and the first that does not is named", async () => {
  const data = opaDataEngine("d", { endpoint_permissions: { "GET:/api/v1/agents/:id": ["agents:read"] } });
  expect((await decideBy([withPolicy(noWrites), data], asking())).decision).toBe("allow");
  expect(await decideBy([withPolicy(noWrites), data], removing())).toMatchObject({ determining: ["p@1#1"] });
  expect(await decideBy([data, withPolicy(noWrites)], removing())).toMatchObject({
    determining: ["d:DELETE:/api/v1/agents/:id"],
  });
});
