import { createHash } from "node:crypto";
import { systemClock } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { clientAssertionType } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Answer, callAsAdmin, newClient, type OAuthClient, read } from "./client.ts";
import { exchange, obtainCode, shop } from "./consent.ts";
import { adminSecret, freePort, type Running, startServer, startWith } from "./running.ts";

// One installation at two addresses: one answers plain refreshes in front of the core, the other leaves all to the core.
let running: Running;
let metricsPort: number;
let core: { issuer: string; close: () => Promise<void> };
let agent: OAuthClient;
let other: OAuthClient;
/** The refresh token of the agent's family that nobody has used yet. */
let token: string;

beforeAll(async () => {
  metricsPort = await freePort();
  running = await startServer({ metricsPort });
  const { issuer, dataDir } = running;
  core = await startWith(running.database, { issuer, dataDir }, { issuance: false });
  [agent, other] = [await newClient(running, "agent"), await newClient(running, "agent")];
  token = await newFamily();
});
afterAll(async () => {
  await core?.close();
  await running?.close();
});
beforeEach(async () => {
  await agent.learnNonce();
  await other.learnNonce();
});

async function newFamily(client = agent, more: Record<string, string> = {}): Promise<string> {
  const { body } = await exchange(client, await obtainCode(running, client, more));
  return String(body["refresh_token"]);
}

type Request = {
  readonly form?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Record<string, string>;
  readonly body?: (form: URLSearchParams) => string;
  readonly query?: string;
};

/** What a good client sends, with something about it. */
const refreshing = (client: OAuthClient, more: Request = {}): Required<Request> => ({
  query: more.query ?? "",
  body: more.body ?? String,
  headers: {
    "content-type": "application/x-www-form-urlencoded",
    dpop: client.proof(client.url("/oauth/token")),
    ...more.headers,
  },
  form: {
    grant_type: "refresh_token",
    refresh_token: token,
    client_assertion_type: clientAssertionType,
    client_assertion: client.assertion(),
    ...more.form,
  },
});

async function sendTo(origin: string, { form, headers, body, query }: Required<Request>): Promise<Answer> {
  const fields = Object.entries(form).filter((field): field is [string, string] => field[1] !== undefined);
  const sent = Object.entries(headers).filter(([, value]) => value !== "");
  const answer = await read(
    await fetch(`${origin}/oauth/token${query}`, {
      method: "POST",
      headers: sent,
      body: body(new URLSearchParams(fields)),
    }),
  );
  if (typeof answer.body["refresh_token"] === "string") token = answer.body["refresh_token"];
  return answer;
}

const compared = [
  "content-type",
  "cache-control",
  "www-authenticate",
  "vary",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "ratelimit-policy",
];

/** What must be the same: all but ids, times and signatures. */
function essence({ status, headers, body }: Answer): object {
  const same = Object.fromEntries(compared.map((name) => [name, headers.get(name)]));
  const { access_token: access, refresh_token: next, request_id: _, type: __, ...said } = body;
  return {
    status,
    ...same,
    nonce: headers.has("dpop-nonce"),
    said,
    members: Object.keys(body),
    next: String(next).length,
    ...(typeof access === "string" ? contentOf(access) : {}),
  };
}

function contentOf(jwt: string): object {
  const [header, claims] = jwt.split(".", 2).map((part) => {
    const value: Record<string, unknown> = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return value;
  });
  const { jti: _, iat, exp, ...rest } = claims ?? {};
  return { header, claims: rest, lifeS: Number(exp) - Number(iat) };
}

async function answeredInFront(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/token_requests_total\{by="issuance"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

const plainRequests: Readonly<Record<string, () => Required<Request>>> = {
  "as usual": () => refreshing(agent),
  "with the client named": () => refreshing(agent, { form: { client_id: agent.id } }),
  "with the scope it has": () => refreshing(agent, { form: { scope: "oid4ac:payment" } }),
  "for the resource it has": () => refreshing(agent, { form: { resource: shop } }),
};

const now = (): number => Math.floor(systemClock.now() / 1000);
const stale = { claims: { iat: now() - 120 } };
const proofs: Readonly<Record<string, () => string>> = {
  "without a proof": () => "",
  "with a proof without a nonce": () =>
    agent.proof(agent.url("/oauth/token"), { claims: { nonce: undefined } }),
  "with another nonce": () => agent.proof(agent.url("/oauth/token"), { nonce: "0".repeat(43) }),
  "with a proof of another key": () => agent.proof(agent.url("/oauth/token"), { key: generateJwk("ES256") }),
  "with a proof of the assertion key": () =>
    agent.proof(agent.url("/oauth/token"), { key: agent.keys.assertion }),
  "with an old proof": () => agent.proof(agent.url("/oauth/token"), stale),
  "with a proof for elsewhere": () => agent.proof(agent.url("/oauth/par")),
  "with what is no proof": () => "x",
};

const otherRequests: Readonly<Record<string, () => Required<Request>>> = {
  "for more scope": () => refreshing(agent, { form: { scope: "oid4ac:payment wallet:read" } }),
  "for openid": () => refreshing(agent, { form: { scope: "openid" } }),
  "for an empty scope": () => refreshing(agent, { form: { scope: "" } }),
  "for the alias of its scope": () => refreshing(agent, { form: { scope: "payment.charge" } }),
  "without a token": () => refreshing(agent, { form: { refresh_token: undefined } }),
  "with an empty token": () => refreshing(agent, { form: { refresh_token: "" } }),
  "of a token that is none": () => refreshing(agent, { form: { refresh_token: "x".repeat(43) } }),
  "of a token cut short": () => refreshing(agent, { form: { refresh_token: token.slice(1) } }),
  "with the token twice": () =>
    refreshing(agent, { body: (form) => `${form.toString()}&refresh_token=${token}` }),
  "with a parameter that nobody knows": () => refreshing(agent, { form: { more: "1" } }),
  "with authorization details": () => refreshing(agent, { form: { authorization_details: "[]" } }),
  "by another agent": () => refreshing(other),
  "by another agent with the client named": () => refreshing(other, { form: { client_id: agent.id } }),
  "by the operator's secret": () =>
    refreshing(agent, {
      form: { client_assertion: undefined, client_assertion_type: undefined },
      headers: {
        authorization: `Basic ${Buffer.from(`${running.adminId}:${adminSecret}`).toString("base64")}`,
      },
    }),
  "without an assertion": () => refreshing(agent, { form: { client_assertion: undefined } }),
  "with nobody's assertion": () =>
    refreshing(agent, { form: { client_assertion: agent.assertion({}, generateJwk("ES256")) } }),
  "with an assertion of the DPoP key": () =>
    refreshing(agent, { form: { client_assertion: agent.assertion({}, agent.keys.dpop) } }),
  "with an assertion that has expired": () =>
    refreshing(agent, { form: { client_assertion: agent.assertion({ iat: now() - 99, exp: now() - 9 }) } }),
  "with a secret too": () => refreshing(agent, { form: { client_secret: "x" } }),
  "with a type that is no form": () =>
    refreshing(agent, { headers: { "content-type": "application/json" }, body: () => "{}" }),
  "from a page": () => refreshing(agent, { headers: { origin: "https://page.example" } }),
  "with a query": () => refreshing(agent, { query: "?a=b" }),
};

async function compare(make: () => Required<Request>): Promise<object> {
  const ours = essence(await sendTo(running.issuer, make()));
  const theirs = essence(await sendTo(core.issuer, make()));
  expect(ours).toEqual(theirs);
  return ours;
}

test.each(Object.entries(plainRequests))(
  "C08 V04 a refresh %s is answered in front of the core, as the core answers it",
  async (_, make) => {
    const before = await answeredInFront();
    expect(await compare(make)).toMatchObject({ status: 200, said: { token_type: "DPoP" } });
    expect((await answeredInFront()) - before).toBe(1);
  },
);

test.each(Object.entries(otherRequests))(
  "C08 V04 a refresh %s is answered as the core answers it",
  async (_, make) => {
    await compare(make);
  },
);

test("C08 A13 a refresh for another resource is refused by both alike, and is no way to it", async () => {
  const answers: object[] = [];
  for (const at of [running.issuer, core.issuer]) {
    // Each its own: the core uses it up before it looks at the resource.
    const form = { refresh_token: await newFamily(), resource: "https://other.example" };
    answers.push(essence(await sendTo(at, refreshing(agent, { form }))));
  }
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]).toMatchObject({ status: 400, said: { error: "invalid_target" } });
});

test.each(Object.entries(proofs))(
  "C08 a refresh %s is answered as the core answers it, and leaves the token as it was",
  async (_, proof) => {
    expect(await compare(() => refreshing(agent, { headers: { dpop: proof() } }))).toMatchObject({
      status: 400,
    });
    expect((await sendTo(running.issuer, refreshing(agent))).status).toBe(200);
  },
);

test("C08 an assertion and a proof count once, whether the core or its front sees them first", async () => {
  for (const [first, second] of [
    [running.issuer, core.issuer],
    [core.issuer, running.issuer],
    [running.issuer, running.issuer],
  ] as const) {
    const request = refreshing(agent);
    expect(await sendTo(first, request)).toMatchObject({ status: 200 });
    const assertion = { ...request.form, refresh_token: token };
    expect(await sendTo(second, { ...request, form: assertion })).toMatchObject({
      status: 401,
      body: { error: "invalid_client" },
    });
    const proof = { ...request, form: { ...assertion, client_assertion: agent.assertion() } };
    expect(await sendTo(second, proof)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  }
});

test("C08 what the front refuses leaves no first use behind: the same proof serves the next request", async () => {
  const request = refreshing(agent, {
    form: { client_assertion: agent.assertion({}, generateJwk("ES256")) },
  });
  expect((await sendTo(running.issuer, request)).status).toBe(401);
  const good = { ...request, form: { ...request.form, client_assertion: agent.assertion() } };
  expect((await sendTo(running.issuer, good)).status).toBe(200);
});

test("C08 within the grace both give the same successor back, whoever made it, until it was used", async () => {
  for (const first of [running.issuer, core.issuer]) {
    const used = token;
    const { body } = await sendTo(first, refreshing(agent));
    for (const again of [running.issuer, core.issuer]) {
      const answer = await sendTo(again, refreshing(agent, { form: { refresh_token: used } }));
      expect(answer.body).toEqual(body);
    }
  }
});

const digest = (text: string): string => createHash("sha256").update(text).digest("base64url");
const age = (of: string) =>
  running.database.asAdmin(
    `update oauth_artifacts set consumed_at = consumed_at - interval '11 s', answered_at = answered_at - interval '11 s'
     where model = 'RefreshToken' and id_digest = $1`,
    [digest(of)],
  );

test("C08 A10 after the grace a token that the front had rotated ends its family, at either of them", async () => {
  const kept = token;
  for (const at of [running.issuer, core.issuer]) {
    const used = await newFamily();
    const { body } = await sendTo(running.issuer, refreshing(agent, { form: { refresh_token: used } }));
    await age(used);
    const again = refreshing(agent, { form: { refresh_token: used } });
    expect(await sendTo(at, again)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    const successor = { refresh_token: String(body["refresh_token"]) };
    expect(await sendTo(at, refreshing(agent, { form: successor }))).toMatchObject({
      body: { error: "invalid_grant" },
    });
  }
  token = kept;
});

test("C08 A10 a stranger who has the token ends nothing with it", async () => {
  const used = token;
  const { body } = await sendTo(running.issuer, refreshing(agent));
  await age(used);
  const stolen = refreshing(other, { form: { refresh_token: used } });
  expect((await sendTo(running.issuer, stolen)).body["error"]).toBe("invalid_grant");
  token = String(body["refresh_token"]);
  expect((await sendTo(running.issuer, refreshing(agent))).status).toBe(200);
});

const [set, reset] = ["now()", "null"];
type State = { readonly change: (value: string) => Promise<unknown>; readonly error: string };
const states: Readonly<Record<string, State>> = {
  "of a disabled account": {
    change: (value) =>
      running.database.asAdmin(`update accounts set disabled_at = ${value} where id = $1`, [running.account]),
    error: "invalid_grant",
  },
  "by a disabled client": {
    change: (value) =>
      running.database.asAdmin(`update clients set disabled_at = ${value} where id = $1`, [agent.id]),
    error: "invalid_client",
  },
  "by a suspended agent": {
    change: (value) =>
      callAsAdmin(running, {
        method: "POST",
        path: `/api/v1/agents/${agent.id}/${value === reset ? "reactivate" : "suspend"}`,
      }),
    error: "invalid_client",
  },
};

test.each(Object.entries(states))("A11 C08 a refresh %s is refused by both alike", async (_, state) => {
  expect((await sendTo(running.issuer, refreshing(agent))).status).toBe(200);
  await state.change(set);
  expect(await compare(() => refreshing(agent))).toMatchObject({ said: { error: state.error } });
  await state.change(reset);
  expect((await sendTo(running.issuer, refreshing(agent))).status).toBe(200);
});

test("A11 C08 a refresh of a grant that was revoked a moment ago is refused by both alike", async () => {
  for (const at of [running.issuer, core.issuer]) {
    const form = { refresh_token: await newFamily() };
    await running.database.asAdmin(
      `update oauth_grants set revoked_at = now() where grant_digest =
         (select grant_digest from oauth_artifacts where model = 'RefreshToken' and id_digest = $1)`,
      [digest(form.refresh_token)],
    );
    expect((await sendTo(at, refreshing(agent, { form }))).body["error"]).toBe("invalid_grant");
  }
});

test("C08 D04 a grant that somebody is ending at this moment is left to the core, with nothing claimed", async () => {
  const held = running.database.open();
  const before = await answeredInFront();
  await held.global.transaction(async (tx) => {
    await tx.run(sql`select from oauth_grants where grant_digest =
      (select grant_digest from oauth_artifacts where model = 'RefreshToken' and id_digest = ${digest(token)}) for update`);
    expect((await sendTo(running.issuer, refreshing(agent))).status).toBe(200);
  });
  await held.close();
  expect((await answeredInFront()) - before).toBe(0);
  expect((await sendTo(running.issuer, refreshing(agent))).status).toBe(200);
});

test("A11 C08 a family revoked by the successor that the front made is over, with its access tokens", async () => {
  const { body } = await sendTo(running.issuer, refreshing(agent));
  await agent.post("/oauth/revoke", { token });
  expect(await compare(() => refreshing(agent))).toMatchObject({ said: { error: "invalid_grant" } });
  const report = await agent.post("/oauth/introspect", { token: String(body["access_token"]) });
  expect(report.body).toEqual({ active: false });
});
