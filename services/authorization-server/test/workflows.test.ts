import { parseId, systemClock } from "@remit/kernel";
import { newEvent, type PlanLimits, planPayload, planSchedule } from "@remit/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyPlan } from "../src/plans/index.ts";
import { type Answer, read } from "./client.ts";
import { agentBody, agentIn, anotherTenant } from "./fleet.ts";
import { Github, runAction } from "./github.ts";
import { Management } from "./management.ts";
import { nowS, Partner, randomJti } from "./partner.ts";
import { adminSecret, type Running, startServer } from "./running.ts";

// Whom an organization trusts, in the words of the AgentIdP API; the rules themselves are tried in trusts.test.ts.

const ours = { name: "octo-org/octo-repo", id: 1_296_269, owner: 583_231 };
const policies = "/api/v1/oidc/trust-policies";

let running: Running;
let github: Github;
let partner: Partner;
let management: Management;
let fleet: Management;
let agent: string;

beforeAll(async () => {
  [github, partner] = [new Github(), new Partner()];
  await Promise.all([github.listen(), partner.listen()]);
  github.repositories.set(ours.name, ours);
  running = await startServer({
    outboundAllow: [github.host],
    tenantOutboundAllow: [partner.host],
    githubIssuer: github.origin,
    githubApi: github.origin,
    tierEnforcement: true,
  });
  await applyPlanOf(running.tenant, {});
  management = new Management(running);
  fleet = new Management(running, adminSecret, "agents:read agents:write");
  agent = await agentIn(running, { scopes: ["agents:read"] });
  await bearer(true);
});
afterAll(async () => {
  await running.close();
  await Promise.all([github.close(), partner.close()]);
});

async function applyPlanOf(text: string, limits: Partial<PlanLimits>, version = 1): Promise<void> {
  const tenant = parseId("tenant", text);
  if (tenant === undefined) throw new TypeError(text);
  const given = { ...planSchedule.enterprise, ...limits };
  const payload = planPayload({ tier: "enterprise", version, limits: given });
  const facts = { tenant, actor: { type: "system", id: "billing" } as const, subject: tenant, payload };
  const event = newEvent("plan.changed", facts, systemClock.now());
  await running.database
    .open()
    .of(tenant)
    .transaction((tx) => applyPlan(tx, event));
}

const bearer = (allowed: boolean): Promise<Answer> =>
  management.call("PUT", "/api/v1/organization/bearer-tokens", { allowed });

async function policy(more: object = {}): Promise<Answer> {
  const body = { provider: "github", repository: ours.name, branch: "main", agentId: agent, ...more };
  // A member that is undefined on purpose is left out.
  return management.call("POST", policies, JSON.parse(JSON.stringify(body)));
}

const exchange = async (body: object): Promise<Answer> =>
  read(
    await fetch(`${running.issuer}/api/v1/oidc/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

const workflowToken = (more: object = {}): string => github.sign({ aud: running.issuer, ...more });

const call = async (token: unknown, method: string, path: string, body?: object): Promise<Answer> =>
  read(
    await fetch(running.issuer + path, {
      method,
      headers: { authorization: `Bearer ${String(token)}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

describe("A13 workflows of GitHub Actions", () => {
  let id: string;
  beforeAll(async () => {
    github.runIn(ours);
    const made = await policy();
    expect(made).toMatchObject({
      status: 201,
      body: {
        provider: "github",
        repository: ours.name,
        repositoryId: String(ours.id),
        repositoryOwnerId: String(ours.owner),
        branch: "main",
        environment: null,
        agentId: agent,
        scopes: ["agents:read"],
        status: "active",
      },
    });
    id = String(made.body["id"]);
  });
  afterAll(() => management.call("DELETE", `${policies}/${id}`));

  test("A13 both forms of the subject get a bearer token of the agent, for a quarter of an hour", async () => {
    for (const sub of [
      `repo:${ours.name}:ref:refs/heads/main`,
      `repo:octo-org@${ours.owner}/octo-repo@${ours.id}:ref:refs/heads/main`,
    ]) {
      const { status, body } = await exchange({ token: workflowToken({ sub }), agentId: agent });
      expect(status).toBe(200);
      expect(body).toMatchObject({ token_type: "Bearer", expires_in: 900, scope: "agents:read" });
      expect((await call(body["access_token"], "GET", "/agent-info")).body).toMatchObject({
        agent_id: agent,
      });
    }
  });

  test("A13 whoever took over the repository's name gets nothing, nor its owner's; renamed, ours goes on", async () => {
    const ends: readonly object[] = [{ id: 999 }, { owner: 999 }, { id: 999, owner: 999 }];
    for (const other of ends) {
      github.runIn({ ...ours, ...other });
      const answer = await exchange({ token: workflowToken(), agentId: agent });
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_grant" } });
    }
    github.runIn({ ...ours, name: "octo-org/renamed" });
    expect((await exchange({ token: workflowToken(), agentId: agent })).status).toBe(200);
    github.runIn(ours);
  });

  test.each<[string, object]>([
    ["another branch", { ref: "refs/heads/mainline" }],
    ["a pull request of a fork", { event_name: "pull_request", sub: "repo:octo-org/octo-repo:pull_request" }],
    ["ids in sub that are not its own", { sub: "repo:octo-org@1/octo-repo@2:ref:refs/heads/main" }],
    ["GitHub's own audience", { aud: "https://github.com/octo-org" }],
    ["no audience", { aud: undefined }],
    ["no jti", { jti: undefined }],
    ["an expired token", { iat: 1, exp: 2 }],
    ["another issuer", { iss: "https://token.actions.githubusercontent.com" }],
  ])("A13 %s is refused", async (_, more) => {
    const answer = await exchange({ token: workflowToken(more), agentId: agent });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_grant" } });
  });

  test("A13 a token is taken once, however many send it at once", async () => {
    const token = workflowToken();
    const answers = await Promise.all(Array.from({ length: 5 }, () => exchange({ token, agentId: agent })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("A13 without the organization's switch there is no token without a key, and the token is not used up", async () => {
    const token = workflowToken();
    await bearer(false);
    expect((await exchange({ token, agentId: agent })).body["code"]).toBe("bound_token_required");
    await bearer(true);
    expect((await exchange({ token, agentId: agent })).status).toBe(200);
  });

  test("A13 a policy names a branch or an environment, exactly, and a repository that there is", async () => {
    for (const more of [
      { branch: undefined },
      { branch: "release/*" },
      { branch: "refs/heads/main" },
      { repository: "octo-org" },
      { repository: "octo-org/octo-repo/x" },
      { repository: "../octo-repo" },
      { repository: "octo-org/.." },
      { repository: "octo-org/nothing" },
      { repositoryId: "1" },
      { provider: "gitlab" },
      { scopes: ["wallet:write"] },
      { scopes: ["admin:orgs"] },
    ])
      expect((await policy(more)).status, JSON.stringify(more)).toBe(400);
    github.repositories.set("octo-org/old", { ...ours, name: "octo-org/new" });
    expect((await policy({ repository: "octo-org/old" })).body["detail"]).toContain("another name");
    const told = {
      repository: "octo-org/private",
      repositoryId: "7",
      repositoryOwnerId: "8",
      branch: "v1.2",
    };
    const made = await policy(told);
    expect(made.body).toMatchObject({ repositoryId: "7", branch: "v1.2" });
    expect((await management.call("DELETE", `${policies}/${String(made.body["id"])}`)).status).toBe(204);
    expect((await management.call("DELETE", `${policies}/${String(made.body["id"])}`)).status).toBe(404);
  });

  test("T01 another organization sees no policy, and ends none; its own for our repository gives nothing of ours", async () => {
    const eve = await anotherTenant(running);
    const eves = new Management(eve, eve.adminSecret);
    expect((await eves.call("GET", policies)).body).toEqual({ data: [], nextCursor: null });
    expect((await eves.call("DELETE", `${policies}/${id}`)).status).toBe(404);
    expect(
      (
        await eves.call("POST", policies, {
          provider: "github",
          repository: ours.name,
          branch: "main",
          agentId: agent,
        })
      ).status,
    ).toBe(400);
    expect((await management.call("GET", policies)).body["data"]).toMatchObject([{ id, agentId: agent }]);
  });

  test("a policy removed, the tokens that it gave count no more", async () => {
    const made = await policy({ environment: "production", branch: undefined });
    const sub = `repo:${ours.name}:environment:production`;
    const claims = { sub, environment: "production", event_name: "deployment", ref: "refs/heads/x" };
    const { body } = await exchange({ token: workflowToken(claims), agentId: agent });
    expect((await call(body["access_token"], "GET", "/agent-info")).status).toBe(200);
    await management.call("DELETE", `${policies}/${String(made.body["id"])}`);
    expect((await call(body["access_token"], "GET", "/agent-info")).status).toBe(401);
  });
});

describe("A13 a workflow registers its agent", () => {
  let id: string;
  beforeAll(async () => {
    github.runIn(ours);
    const made = await policy({ agentId: undefined, scopes: ["agents:read"] });
    expect(made.body).toMatchObject({ agentId: null, scopes: ["agents:read"] });
    id = String(made.body["id"]);
  });
  const registering = async (): Promise<unknown> => {
    const answer = await exchange({ token: workflowToken(), organizationId: running.tenant });
    expect(answer.body).toMatchObject({ token_type: "Bearer", expires_in: 300, scope: "agents:write" });
    return answer.body["access_token"];
  };

  test("A13 what it gets registers agents that may pay, and does nothing else", async () => {
    const token = await registering();
    for (const [method, path, body] of [
      ["GET", `/api/v1/agents/${agent}`],
      ["GET", "/api/v1/agents"],
      ["PATCH", `/api/v1/agents/${agent}`, { owner: "eve" }],
      ["POST", `/api/v1/agents/${agent}/suspend`],
      ["DELETE", `/api/v1/agents/${agent}`],
      ["POST", `/api/v1/agents/${agent}/credentials`, {}],
      ["POST", "/api/v1/agents/import", []],
      ["POST", "/api/v1/setup-tokens", { kind: "agent" }],
      ["POST", "/oauth2/token/delegate", { delegateeAgentId: agent, scopes: ["agents:write"] }],
      ["POST", "/api/v1/token/introspect"],
      ["POST", policies, { provider: "github", repository: ours.name, branch: "main", agentId: agent }],
    ] as [string, string, object?][]) {
      const answer = await call(token, method, path, body);
      expect([401, 403], `${method} ${path} ${JSON.stringify(answer.body)}`).toContain(answer.status);
    }
    for (const scopes of [["agents:write"], ["agents:read"], ["oid4ac:payment", "audit:read"]])
      expect((await call(token, "POST", "/api/v1/agents", agentBody({ scopes }))).body["code"]).toBe(
        "invalid_scope",
      );
    const made = await call(token, "POST", "/api/v1/agents", agentBody());
    expect(made).toMatchObject({ status: 201, body: { scopes: ["oid4ac:payment"] } });
  });

  test("A13 the agent is the workflow's from then on, as far as the policy says", async () => {
    const made = await call(await registering(), "POST", "/api/v1/agents", agentBody());
    const agentId = String(made.body["agentId"]);
    const { body } = await exchange({ token: workflowToken(), agentId });
    expect(body).toMatchObject({ token_type: "Bearer", scope: "agents:read" });
    expect((await call(body["access_token"], "GET", "/agent-info")).body).toMatchObject({
      agent_id: agentId,
    });
    github.runIn({ ...ours, id: 999 });
    expect((await exchange({ token: workflowToken(), agentId })).body["code"]).toBe("invalid_grant");
    expect((await exchange({ token: workflowToken(), organizationId: running.tenant })).body["code"]).toBe(
      "invalid_grant",
    );
    github.runIn(ours);
  });

  test("A13 it is for the organization that it names, and its end ends what it gave", async () => {
    const eve = await anotherTenant(running);
    expect((await exchange({ token: workflowToken(), organizationId: eve.tenant })).body["code"]).toBe(
      "invalid_grant",
    );
    for (const body of [{}, { agentId: agent, organizationId: running.tenant }])
      expect((await exchange({ token: workflowToken(), ...body })).status).toBe(400);
    const token = await registering();
    await management.call("DELETE", `${policies}/${id}`);
    expect((await call(token, "POST", "/api/v1/agents", agentBody())).status).toBe(401);
  });
});

describe("A13 what a workflow registered stands as long as the policy does", () => {
  const registered = async (more: object = {}) => {
    github.runIn(ours);
    const made = await policy({ agentId: undefined, scopes: ["agents:read"], ...more });
    const id = String(made.body["id"]);
    const answer = await exchange({ token: workflowToken(), organizationId: running.tenant });
    const agentMade = await call(answer.body["access_token"], "POST", "/api/v1/agents", agentBody());
    return { id, agentId: String(agentMade.body["agentId"]) };
  };
  const tokenOf = async (agentId: string): Promise<unknown> =>
    (await exchange({ token: workflowToken(), agentId })).body["access_token"];
  const statusOf = async (agentId: string): Promise<unknown> =>
    (await fleet.call("GET", `/api/v1/agents/${agentId}`)).body["status"];
  const seen = async (token: unknown): Promise<number> => (await call(token, "GET", "/agent-info")).status;

  test("A13 removed, it takes their tokens, their next ones, and suspends them", async () => {
    const { id, agentId } = await registered();
    const token = await tokenOf(agentId);
    expect(await seen(token)).toBe(200);
    expect((await management.call("DELETE", `${policies}/${id}`)).status).toBe(204);
    expect(await seen(token)).toBe(401);
    expect(await tokenOf(agentId)).toBeUndefined();
    expect(await statusOf(agentId)).toBe("suspended");
  });

  test("A13 removed so that they are kept, they stay, and only the workflow's word is taken no more", async () => {
    const { id, agentId } = await registered();
    const token = await tokenOf(agentId);
    await management.call("DELETE", `${policies}/${id}?agents=keep`);
    expect([await seen(token), await tokenOf(agentId), await statusOf(agentId)]).toEqual([
      401,
      undefined,
      "active",
    ]);
    expect((await management.call("DELETE", `${policies}/${id}?agents=forget`)).status).toBe(400);
  });

  test("A13 suspended, it gives them nothing until it stands again", async () => {
    const { id, agentId } = await registered();
    const token = await tokenOf(agentId);
    const stand = (status: string): Promise<Answer> =>
      management.call("PATCH", `/api/v1/trusts/${id}`, { status });
    expect((await stand("suspended")).status).toBe(200);
    expect([await seen(token), await tokenOf(agentId)]).toEqual([401, undefined]);
    await stand("active");
    expect([await seen(token), await seen(await tokenOf(agentId))]).toEqual([200, 200]);
    await management.call("DELETE", `${policies}/${id}`);
  });

  test("A13 an agent decommissioned before stays so, and others of the organization are not touched", async () => {
    const { id, agentId } = await registered();
    expect((await fleet.call("DELETE", `/api/v1/agents/${agentId}`)).status).toBe(204);
    expect((await management.call("DELETE", `${policies}/${id}`)).status).toBe(204);
    expect([await statusOf(agentId), await statusOf(agent)]).toEqual(["decommissioned", "active"]);
  });
});

test("C13 a token by GitHub's word alone counts against the plan of the agent's organization", async () => {
  github.runIn(ours);
  const other = await anotherTenant(running);
  const eve = new Management(other, other.adminSecret);
  await eve.call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
  const theirs = await agentIn(other, { scopes: ["agents:read"] });
  const body = { provider: "github", repository: ours.name, branch: "main", agentId: theirs };
  expect((await eve.call("POST", policies, body)).status).toBe(201);
  const asked = async (): Promise<Answer> =>
    read(
      await fetch(`${running.issuer}/oauth/token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
          client_id: theirs,
          assertion: workflowToken(),
          scope: "agents:read",
          resource: running.issuer,
        }),
      }),
    );
  const most = 12;
  await applyPlanOf(other.tenant, { maxTokensPerDay: most });
  const answers: Answer[] = [];
  // Some of them its management has had today.
  for (let i = 0; i <= most; i++) answers.push(await asked());
  await applyPlanOf(other.tenant, {}, 2);
  expect(answers[0]?.status).toBe(200);
  expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: "plan_limit_reached" } });
  expect(answers.at(-1)?.headers.get("retry-after")).not.toBeNull();
});

describe("the actions", () => {
  test("register an agent and get its token, which the log never shows; a fork of the name gets an error", async () => {
    const made = await policy({ agentId: undefined });
    github.runIn(ours);
    const at = { "api-url": running.issuer };
    const registered = await runAction(
      "register-agent",
      {
        ...at,
        "organization-id": running.tenant,
        email: "ci@agents.example",
        capabilities: "build:run, deploy:write",
        owner: "platform",
      },
      github.runner,
    );
    expect(registered, registered.log).toMatchObject({ code: 0 });
    const agentId = registered.outputs["agent-id"] ?? "";
    const issued = await runAction("issue-token", { ...at, "agent-id": agentId }, github.runner);
    expect(issued, issued.log).toMatchObject({ code: 0 });
    const token = issued.outputs["access-token"] ?? "";
    expect((await call(token, "GET", "/agent-info")).body).toMatchObject({ agent_id: agentId });
    expect(Date.parse(issued.outputs["expires-at"] ?? "")).toBeGreaterThan(nowS() * 1000);
    const shown = issued.log.split("\n").filter((line) => line.includes(token));
    expect(shown).toEqual([`::add-mask::${token}`]);

    github.runIn({ ...ours, id: 999 });
    const refused = await runAction("issue-token", { ...at, "agent-id": agentId }, github.runner);
    expect(refused.code).toBe(1);
    expect(refused.log).toMatch(/^::error::.*invalid_grant/m);
    expect(refused.outputs).toEqual({});
    const without = await runAction("issue-token", { ...at, "agent-id": agentId }, {});
    expect(without.log).toContain("::error::the job needs `permissions: id-token: write`");
    const abroad = await runAction(
      "issue-token",
      { "api-url": "http://remit.example", "agent-id": agentId },
      {},
    );
    expect(abroad.log).toContain("::error::api-url must be an https address");
    await management.call("DELETE", `${policies}/${String(made.body["id"])}`);
  });
});

describe("A14 federation partners", () => {
  const path = "/api/v1/federation/partners";
  const issuer = "https://partner.example";
  let id: string;
  beforeAll(async () => {
    const body = { name: "Partner", issuer, jwks_uri: partner.jwksUri, allowed_organizations: ["org-1"] };
    const made = await management.call("POST", "/api/v1/federation/trust", body);
    expect(made).toMatchObject({
      status: 201,
      body: { issuer, status: "active", allowed_organizations: ["org-1"] },
    });
    id = String(made.body["id"]);
  });

  const claims = (more: object = {}): object => ({
    iss: issuer,
    aud: running.issuer,
    sub: "agent-7",
    organization_id: "org-1",
    iat: nowS(),
    exp: nowS() + 300,
    jti: randomJti(),
    ...more,
  });
  const said = (more: object = {}, header: object = {}): string =>
    partner.sign(claims(more), { kid: "partner-es", ...header });

  /** As any agent asks. */
  const verify = async (token: string): Promise<Answer["body"]> => {
    const own = await policyToken();
    const answer = await call(own, "POST", "/api/v1/federation/verify", { token });
    expect(answer.status).toBe(200);
    return answer.body;
  };
  let kept: unknown;
  const policyToken = async (): Promise<unknown> => {
    if (kept !== undefined) return kept;
    github.runIn(ours);
    await policy();
    kept = (await exchange({ token: workflowToken(), agentId: agent })).body["access_token"];
    return kept;
  };

  test("A14 its token says who somebody is there, by either algorithm and as often as one asks", async () => {
    const token = said();
    for (const one of [token, token, said({}, { typ: "at+jwt" }), partner.signRs256(claims())])
      expect(await verify(one)).toMatchObject({
        valid: true,
        reason: null,
        partnerId: id,
        issuer,
        subject: "agent-7",
        organizationId: "org-1",
      });
  });

  test("A14 it gives nothing here: it is no token of ours, and no assertion", async () => {
    expect((await call(said(), "GET", "/api/v1/agents")).status).toBe(401);
    expect((await exchange({ token: said(), agentId: agent })).body["code"]).toBe("invalid_grant");
  });

  test.each<[string, object, object, string]>([
    ["a third party's name", { iss: "https://other.example" }, {}, "unknown_issuer"],
    ["our own name", { iss: "OURS" }, {}, "unknown_issuer"],
    ["another audience", { aud: "https://elsewhere.example" }, {}, "token_invalid"],
    ["no audience", { aud: undefined }, {}, "token_invalid"],
    ["an end that is past", { iat: 1, exp: 2 }, {}, "token_invalid"],
    ["a life of a day", { exp: 4_000_000_000 }, {}, "token_invalid"],
    ["no subject", { sub: undefined }, {}, "token_invalid"],
    ["a key that it brings", {}, { jku: "https://evil.example" }, "token_invalid"],
    ["a key of nobody", {}, { kid: "other" }, "token_invalid"],
    ["another kind of token", {}, { typ: "logout+jwt" }, "token_invalid"],
    ["another organization", { organization_id: "org-2" }, {}, "organization_not_allowed"],
    ["no organization", { organization_id: undefined }, {}, "organization_not_allowed"],
  ])("A14 %s proves nothing", async (_, more, header, reason) => {
    const claimed = "iss" in more && more.iss === "OURS" ? { iss: running.issuer } : more;
    expect(await verify(said(claimed, header))).toMatchObject({ valid: false, reason, subject: null });
  });

  test("A14 two partners of one issuer there cannot be, nor one that we would not call", async () => {
    const again = { name: "x", issuer, jwksUri: partner.jwksUri };
    expect((await management.call("POST", "/api/v1/federation/trust", again)).body["code"]).toBe(
      "partner_exists",
    );
    for (const jwksUri of [
      "https://169.254.169.254/jwks",
      "https://localhost/jwks",
      "http://example.com/jwks",
    ])
      expect(
        (
          await management.call("POST", "/api/v1/federation/trust", {
            ...again,
            issuer: "https://x.example",
            jwksUri,
          })
        ).body["code"],
      ).toBe("outbound_refused");
    const both = { ...again, jwks_uri: partner.jwksUri };
    expect((await management.call("POST", "/api/v1/federation/trust", both)).status).toBe(400);
    const self = { ...again, issuer: running.issuer };
    expect((await management.call("POST", "/api/v1/federation/trust", self)).status).toBe(400);
  });

  test("A14 suspended, ended or removed it proves nothing; and it is its organization's alone", async () => {
    const change = (body: object): Promise<Answer> => management.call("PATCH", `${path}/${id}`, body);
    await change({ status: "suspended" });
    expect(await verify(said())).toMatchObject({ valid: false, reason: "partner_suspended" });
    await change({ status: "active", expires_at: "2020-01-01T00:00:00Z" });
    expect((await management.call("GET", `${path}/${id}`)).body["status"]).toBe("expired");
    expect(await verify(said())).toMatchObject({ valid: false, reason: "partner_expired" });
    await change({ expires_at: null, allowed_organizations: null, name: "Renamed" });
    expect(await verify(said({ organization_id: "org-9" }))).toMatchObject({
      valid: true,
      organizationId: "org-9",
    });
    const eve = await anotherTenant(running);
    const eves = new Management(eve, eve.adminSecret);
    for (const [method, body] of [["GET"], ["PATCH", { name: "eve" }], ["DELETE"]] as [string, object?][])
      expect((await eves.call(method, `${path}/${id}`, body)).status).toBe(404);
    expect((await eves.call("GET", path)).body["data"]).toEqual([]);
    expect((await management.call("GET", path)).body["data"]).toMatchObject([{ id, name: "Renamed" }]);
    expect((await management.call("DELETE", `${path}/${id}`)).status).toBe(204);
    expect(await verify(said())).toMatchObject({ valid: false, reason: "unknown_issuer" });
  });
});
