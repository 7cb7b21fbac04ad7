import { createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { after, instantOf, newId, parseId, systemClock } from "@remit/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { refuseSignInsBefore } from "../src/accounts/accounts.sql.ts";
import { formOf, formTo, type Page, type PageForm } from "./browser.ts";
import { type Answer, newClient, read } from "./client.ts";
import { authorizeUrl, newAsking, pushedForm } from "./consent.ts";
import { ada, codeOn, eves, Federation, person, tokenOf, type Visitor } from "./federated.ts";
import { claimsOf, headerOf } from "./relying-party.ts";
import { principal, walletRedirect } from "./running.ts";
import { type Person, startOidcProvider } from "./upstream.ts";

let at: Federation;
let real: Awaited<ReturnType<typeof startOidcProvider>>;

beforeAll(async () => {
  real = await startOidcProvider();
  at = await Federation.start([new URL(real.issuer).host]);
});
afterAll(async () => {
  await at?.close();
  await real?.close();
});
beforeEach(() => at.reset());

describe("somebody signs in with an identity provider", () => {
  test("a new person gets an account, and comes back to it by subject though the address changed", async () => {
    at.upstream.person = person("lin");
    const visitor = await at.visitor();
    expect(visitor.page.html).toContain(`identity-providers/${at.anywhere}"`);
    expect(visitor.page.html).toContain("Continue with Anywhere");
    await visitor.through(at.anywhere);
    const first = tokenOf(await visitor.allow());
    expect(first).toMatchObject({ acr: "urn:remit:aal1", amr: ["fed"] });
    await at.letter("lin@people.example", "An account was made for this address, because “Anywhere”");
    const again = await at.signIn(
      at.anywhere,
      person("lin", { email: "other@people.example", email_verified: false }),
    );
    expect(tokenOf(await again.allow())["sub"]).toBe(first["sub"]);
    const events = await at.rows<{ event: string }>(
      "select event from audit_rows where subject = $1 and event like 'identity.%'",
      first["sub"],
    );
    expect(events).toEqual([{ event: "identity.linked" }]);
    const [row] = await at.rows<{ row: string }>("select identities::text as row from identities limit 1");
    expect(row?.row).not.toContain(Buffer.from("lin@people.example").toString("hex"));
  });

  test("PKCE, nonce, state and the exact redirect URI go out; the code comes back with the secret as a header", async () => {
    await at.signIn(at.anywhere, person("lin"));
    const sent = Object.fromEntries(at.upstream.asked ?? []);
    expect(sent).toMatchObject({
      client_id: "remit",
      response_type: "code",
      scope: "openid email profile",
      code_challenge_method: "S256",
      redirect_uri: `${at.running.issuer}/oauth/identity-providers/${at.anywhere}/callback`,
    });
    for (const name of ["state", "nonce", "code_challenge"]) expect(sent[name]).toMatch(/^[\w-]{43}$/);
    expect(sent).not.toHaveProperty("prompt");
    const [scheme, basic] = at.upstream.tokenRequest?.authorization?.split(" ") ?? [];
    const [id, secret] = Buffer.from(basic ?? "", "base64")
      .toString()
      .split(":")
      .map(decodeURIComponent);
    expect([scheme, id, secret]).toEqual(["Basic", "remit", at.upstream.clientSecret]);
    expect(at.upstream.tokenRequest?.form.has("client_secret")).toBe(false);
  });

  test("with a key: an assertion for the issuer alone, for a minute, by a key of our JWKS", async () => {
    const keyed = await at.create(at.operator, {
      email_domains: ["*"],
      jit_policy: "domain",
      client_authentication: { method: "private_key_jwt" },
    });
    const visitor = await at.signIn(keyed, person("keyed"));
    expect(tokenOf(await visitor.allow())).toMatchObject({ amr: ["fed"] });
    const assertion = at.upstream.tokenRequest?.form.get("client_assertion") ?? "";
    const { exp, iat, ...claims } = claimsOf(assertion);
    expect(claims).toMatchObject({ iss: "remit", sub: "remit", aud: at.upstream.issuer });
    expect(Number(exp) - Number(iat)).toBe(60);
    const { body } = await read(await fetch(`${at.running.issuer}/oauth/jwks.json`));
    const keys = body["keys"] as JsonWebKey[]; // our own
    const key = keys.find((jwk) => jwk["kid"] === headerOf(assertion)["kid"]) ?? {};
    const dot = assertion.lastIndexOf(".");
    const signature = Buffer.from(assertion.slice(dot + 1), "base64url");
    const signer = { key: createPublicKey({ key, format: "jwk" }), dsaEncoding: "ieee-p1363" } as const;
    expect(verify("sha256", Buffer.from(assertion.slice(0, dot)), signer, signature)).toBe(true);
  });

  test("claims may be told at the userinfo endpoint alone, and only of the same subject", async () => {
    const { sub, ...rest } = person("quiet");
    at.upstream.atUserinfo = { sub, ...rest };
    const visitor = await at.signIn(at.anywhere, { sub });
    expect(tokenOf(await visitor.allow())).toMatchObject({ amr: ["fed"] });
    at.upstream.atUserinfo = { ...rest, sub: "somebody-else" };
    const mixed = await at.signIn(at.anywhere, { sub: "quiet-2" });
    expect(mixed.page).toMatchObject({ status: 403 });
    expect(mixed.page.html).toContain("proves nothing here");
  });

  test("a member is linked by a verified address at a domain of the tenant, and told by letter", async () => {
    const visitor = await at.signIn(at.acme, ada());
    expect(tokenOf(await visitor.allow())["sub"]).toBe(at.running.account);
    await at.letter(principal.email, "“Acme” was linked to your account");
    await at.forgetAda();
  });

  test("somebody new at a tenant's domain becomes a member of it, with an organization of their own", async () => {
    const visitor = await at.signIn(at.acme, person("new", { email: "New.Person@Example.com" }));
    const { sub, organization_id: home } = tokenOf(await visitor.allow());
    expect(home).not.toBe(at.running.tenant);
    const roles = await at.rows(
      "select tenant_id as tenant, role from memberships where account_id = $1 order by role",
      sub,
    );
    expect(roles).toEqual([
      { tenant: at.running.tenant, role: "member" },
      { tenant: home, role: "owner" },
    ]);
  });

  test("with oidc-provider, unmodified", async () => {
    const provider = await at.create(at.operator, {
      name: "Real",
      issuer: real.issuer,
      client_authentication: { method: "client_secret_basic", client_secret: real.secret },
      email_domains: ["people.example"],
      jit_policy: "domain",
    });
    real.allow(`${at.running.issuer}/oauth/identity-providers/${provider}/callback`);
    const visitor = await at.visitor();
    await visitor.through(provider);
    const login = formOf(visitor.page);
    visitor.page = await visitor.browser.open(login.action, walletRedirect, {
      ...login.fields,
      login: "grace",
      password: "x",
    });
    const consent = formOf(visitor.page);
    visitor.page = await visitor.browser.open(consent.action, walletRedirect, consent.fields);
    expect(tokenOf(await visitor.allow())).toMatchObject({ amr: ["fed"] });
    await at.letter("grace@people.example", "“Real”");
  });
});

describe("an address that has an account already", () => {
  const conflict = async (who = ada()): Promise<Visitor> => {
    await at.change(at.management, at.acme, { link_policy: "none" });
    const visitor = await at.signIn(at.acme, who);
    await at.change(at.management, at.acme, { link_policy: "verified_email" });
    return visitor;
  };

  test("its person signs in to it, says yes, and signs in with the provider from then on", async () => {
    const visitor = await conflict();
    expect([visitor.page.status, codeOn(visitor.page)]).toEqual([409, "email_conflict"]);
    await visitor.signInAs();
    expect(visitor.page.html).toContain("Link “Acme”?");
    expect(await at.adasIdentities()).toEqual([]);
    const offered = visitor.page;
    await visitor.send("/identity/link", { decision: "link" });
    expect(tokenOf(await visitor.allow())).toMatchObject({ sub: at.running.account, amr: ["pwd"] });
    const next = await at.signIn(at.acme, ada("ada", { email: "renamed@elsewhere.example" }));
    expect(tokenOf(await next.allow())).toMatchObject({ sub: at.running.account, amr: ["fed"] });
    visitor.page = offered;
    expect((await visitor.send("/identity/link", { decision: "link" })).status).toBeGreaterThanOrEqual(400);
    await at.forgetAda();
  });

  test("whoever says no goes on without it, and is not asked again", async () => {
    const visitor = await conflict();
    await visitor.signInAs();
    await visitor.send("/identity/link", { decision: "skip" });
    expect(tokenOf(await visitor.allow())["sub"]).toBe(at.running.account);
    expect(await at.adasIdentities()).toEqual([]);
  });

  test("A17 whoever signs in to another account is not asked, and links nothing", async () => {
    const visitor = await conflict();
    await visitor.signInAs(eves.email, eves.password);
    expect(visitor.page.html).toContain("/consent");
    expect(visitor.page.html).not.toContain("Link “Acme”?");
    expect(await at.adasIdentities()).toEqual([]);
  });

  test("A17 the yes of one conversation, or of another site, is none", async () => {
    const visitor = await conflict();
    await visitor.signInAs();
    const { action, fields } = formTo(visitor.page, "/identity/link");
    const stranger = await at.visitor();
    const theirs = {
      ...fields,
      csrf: formTo(stranger.page, "/sign-in").fields["csrf"] ?? "",
      decision: "link",
    };
    const elsewhere = `${at.running.issuer}/oauth/interactions/${stranger.uid}/identity/link`;
    expect((await stranger.browser.send(elsewhere, theirs)).status).toBe(400);
    const headers = { origin: "https://evil.example" };
    expect((await visitor.browser.send(action, { ...fields, decision: "link" }, headers)).status).toBe(403);
    expect(await at.adasIdentities()).toEqual([]);
  });

  test("a subject that is another than the linked one is not taken for the same person", async () => {
    await (await at.signIn(at.acme, ada("old"))).allow();
    const visitor = await at.signIn(at.acme, ada("another"));
    expect([visitor.page.status, codeOn(visitor.page)]).toEqual([409, "email_conflict"]);
    await visitor.signInAs();
    expect(visitor.page.html).not.toContain("Link “Acme”?");
    expect(await at.adasIdentities()).toHaveLength(1);
    await at.forgetAda();
  });
});

describe("somebody new whom the rules keep out", () => {
  const kept: [string, "anywhere" | "acme", Person, string][] = [
    ["without an address", "anywhere", { sub: "n1" }, "jit_requires_verified_email"],
    [
      "whose address is not verified",
      "anywhere",
      person("n2", { email_verified: false }),
      "jit_requires_verified_email",
    ],
    [
      "whose address is verified in words only",
      "anywhere",
      person("n3", { email_verified: "true" }),
      "jit_requires_verified_email",
    ],
    ["at a tenant's domain", "anywhere", person("n4", { email: "n4@example.com" }), "jit_domain_not_allowed"],
    ["below the domain", "acme", person("n5", { email: "n5@sub.example.com" }), "jit_domain_not_allowed"],
    [
      "at a domain that ends alike",
      "acme",
      person("n6", { email: "n6@anexample.com" }),
      "jit_domain_not_allowed",
    ],
    [
      "at no domain",
      "acme",
      person("n7", { email: "n7@example.com@people.example" }),
      "jit_requires_verified_email",
    ],
  ];
  test.each(kept)("A18 %s gets no account", async (_what, provider, who, because) => {
    const visitor = await at.signIn(at[provider], who);
    expect([visitor.page.status, codeOn(visitor.page)]).toEqual([403, because]);
  });

  test("where accounts are not made for people, nobody gets one", async () => {
    const closed = await at.create(at.operator, { email_domains: ["*"] });
    const visitor = await at.signIn(closed, person("closed"));
    expect([visitor.page.status, codeOn(visitor.page)]).toEqual([403, "not_linked"]);
  });

  test("the tenant is asked once, says yes or no once, and who was let in gets an account", async () => {
    const asking = await at.create(at.management, { email_domains: ["example.com"], jit_policy: "approval" });
    const who = person("asks", { email: "asks@example.com", name: "Asks" });
    const visitor = await at.signIn(asking, who);
    expect([visitor.page.status, codeOn(visitor.page)]).toEqual([403, "jit_approval_required"]);
    await at.signIn(asking, who);
    await at.signIn(asking, person("asks-too", { email: "too@example.com" }));
    const waiting = await at.management.call("GET", "/api/v1/admissions?status=waiting");
    const data = waiting.body["data"] as { id: string; email: string }[]; // as the contract says
    expect(data.map(({ email }) => email)).toEqual(["too@example.com", "asks@example.com"]);
    const decide = (id = "", decision = "admit", by = at.management): Promise<Answer> =>
      by.call("POST", `/api/v1/admissions/${id}`, { decision });
    expect((await decide(data[1]?.id, "admit", at.evil)).status).toBe(404);
    const both = await Promise.all([decide(data[1]?.id), decide(data[1]?.id, "refuse")]);
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 404]);
    await at.rows("update admissions set status = 'admitted' where id = $1", data[1]?.id);
    await decide(data[0]?.id, "refuse");
    const admitted = await at.signIn(asking, who);
    expect(tokenOf(await admitted.allow())).toMatchObject({ amr: ["fed"] });
    const refused = await at.signIn(asking, person("asks-too", { email: "too@example.com" }));
    expect(codeOn(refused.page)).toBe("admission_refused");
  });
});

describe("a provider of an organization that is suspended", () => {
  test("signs nobody in, makes nobody and links nobody, until the organization is back", async () => {
    await at.assign("evil.example", at.evilTenant);
    await at.change(at.evil, at.evilProvider, { email_domains: ["evil.example"] });
    const [member, nobody] = ["member-then", "nobody-yet"].map((sub) =>
      person(sub, { email: `${sub}@evil.example` }),
    ) as [Person, Person]; // of two names
    const eve = person("eve", { email: eves.email });
    await (await at.signIn(at.evilProvider, member)).allow();
    const half = await at.visitor();
    at.upstream.person = eve;
    const halfway = await half.answerOf(at.evilProvider);
    const stand = (status: string): Promise<Answer> =>
      at.operator.call("PATCH", `/api/v1/organizations/${at.evilTenant}`, { status });
    expect((await stand("suspended")).status).toBe(200);
    const [before] = await at.rows("select count(*) from identities");
    expect((await half.go(halfway)).html).toContain("not offered any more");
    for (const who of [member, nobody, eve])
      expect((await at.signIn(at.evilProvider, who)).page.html).toContain("not offered any more");
    expect(await at.rows("select count(*) from identities")).toEqual([before]);
    expect((await stand("active")).status).toBe(200);
    expect(tokenOf(await (await at.signIn(at.evilProvider, eve)).allow())["organization_id"]).toBe(
      at.evilTenant,
    );
  });
});

test("A11 a sign-in of the very second in which its person got back in starts no session", async () => {
  const { sub } = tokenOf(await (await at.signIn(at.anywhere, person("same-second"))).allow());
  const second = Math.floor(systemClock.now() / 1000) - 10;
  at.upstream.person = person("same-second", { auth_time: second });
  const visitor = await at.visitor();
  const follow = async (url: string): Promise<string> => {
    const { headers } = await visitor.browser.send(new URL(url, at.running.issuer).href);
    return headers.get("location") ?? "";
  };
  const resume = await follow(await follow(await visitor.answerOf(at.anywhere)));
  const later = "update accounts set sign_ins_from = to_timestamp($2) + interval '500 ms' where id = $1";
  await at.rows(later, sub, second);
  const sessions = (): Promise<object[]> => at.rows("select id from sessions where account_id = $1", sub);
  const before = await sessions();
  await visitor.go(resume);
  expect([before.length, await sessions()]).toEqual([1, before]);
});

test("A11 of two recoveries in one second the second is begun anew, and a change in it refuses what the first lets in", async () => {
  const { sub } = tokenOf(await (await at.signIn(at.anywhere, person("twice"))).allow());
  const account = parseId("account", sub) ?? newId("account");
  const second = instantOf(Math.floor(systemClock.now() / 1000) * 1000);
  const db = at.running.database.open();
  const refuse = (afterMs: number, begunMs?: number): Promise<boolean> => {
    const begun = begunMs === undefined ? {} : { begun: after(second, begunMs) };
    const times = { now: after(second, afterMs), ...begun };
    return refuseSignInsBefore(db.single, account, times);
  };
  const from = async (): Promise<number> => {
    const [row] = await at.rows<{ at: Date }>(
      "select sign_ins_from as at from accounts where id = $1",
      account,
    );
    return (row?.at.getTime() ?? 0) - second;
  };
  expect(await refuse(200, 0)).toBe(true);
  // Who came back in at 200 is known to the core as of the next second (`secondOf`).
  expect(await refuse(700, 300)).toBe(false);
  expect(await from()).toBe(200);
  expect(await refuse(700)).toBe(true);
  expect(await from()).toBe(1_000);
  expect(await refuse(1_500, 900)).toBe(false);
  expect(await refuse(2_100, 1_000)).toBe(true);
  expect(await from()).toBe(2_100);
});

test("A16 a person whose provider does not say when they signed in allows no agent anything by it, and is told the way", async () => {
  const agent = await newClient(at.running, "agent");
  const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
  const visitor = await at.visitor();
  const ask = async (more: object): Promise<Page> => {
    await visitor.go(authorizeUrl(at.running, agent.id, pushed.body["request_uri"]));
    at.upstream.person = person("silent", more);
    return visitor.through(at.anywhere);
  };
  const silent = await ask({ auth_time: undefined });
  expect(Object.fromEntries(at.upstream.asked ?? [])).toMatchObject({ prompt: "login", max_age: "0" });
  expect([silent.status, silent.html.includes("does not say that you signed in there just now")]).toEqual([
    403,
    true,
  ]);
  await visitor.go(/href="([^"]*)">Sign in another way/.exec(silent.html)?.[1] ?? "");
  expect(visitor.page.html).toContain("I cannot sign in");
  expect((await visitor.through(at.anywhere)).status).toBe(403);
  at.upstream.person = person("silent");
  expect((await visitor.through(at.anywhere)).html).toContain("/consent");
});

describe("what somebody has linked", () => {
  const methods = "/account/sign-in-methods";
  const unlinkOf = (visitor: Visitor): string[] =>
    [...visitor.page.html.matchAll(/href="([^"]*\/identities\/idn_[^"]*)"/g)].map(([, href]) => href ?? "");

  test("they see it on their account's page, unlink it there, are told by letter, and it signs nobody in until their own yes", async () => {
    const visitor = await at.signIn(at.acme, ada());
    await visitor.allow();
    await visitor.go(methods);
    expect(visitor.page.html).toContain("Linked identity providers");
    const [href = ""] = unlinkOf(visitor);
    await visitor.go(href);
    await visitor.send("/unlink", {});
    expect(visitor.page.html).toContain("It is unlinked");
    expect(await at.adasIdentities()).toEqual([]);
    await at.letter(principal.email, "unlinked from your account");
    for (const subject of ["ada", "another"])
      expect(codeOn((await at.signIn(at.acme, ada(subject))).page)).toBe("email_conflict");
    // A provider says when in whole seconds: one that began before the change would not count as after it.
    const since = ada("ada", { auth_time: Math.floor(systemClock.now() / 1000) + 1 });
    const again = await at.signIn(at.acme, since);
    await again.signInAs();
    await again.send("/identity/link", { decision: "link" });
    await again.allow();
    expect(tokenOf(await (await at.signIn(at.acme, since)).allow())).toMatchObject({ amr: ["fed"] });
    await at.forgetAda();
  });

  test("A16 not by a sign-in of some minutes ago: they are sent to sign in anew, and back", async () => {
    const visitor = await at.signIn(at.anywhere, person("late"));
    await visitor.allow();
    await visitor.go(methods);
    const [href = ""] = unlinkOf(visitor);
    await at.rows("update sessions set authenticated_at = now() - interval '10 minutes'");
    await visitor.go(href);
    expect(visitor.page.html).toContain("Show that it is you");
    at.upstream.person = person("late", { auth_time: Math.floor(systemClock.now() / 1000) });
    await visitor.through(at.anywhere);
    expect(visitor.page.html).toContain("This is your only way in");
  });

  test("T01 another person's is as one that never was", async () => {
    const owner = await at.signIn(at.anywhere, person("owner"));
    await owner.allow();
    await owner.go(methods);
    const [href = ""] = unlinkOf(owner);
    const other = await at.signIn(at.anywhere, person("other"));
    await other.allow();
    expect((await other.go(href)).status).toBe(404);
    await other.go(methods);
    const [mine = ""] = unlinkOf(other);
    await other.go(mine);
    expect(other.page.html).toContain("This is your only way in");
    const csrf = /name="csrf" value="([^"]*)"/.exec((await other.go(`${methods}/password`)).html)?.[1] ?? "";
    const sent = await other.browser.send(`${at.running.issuer}${href}/unlink`, { csrf });
    expect(sent.status).toBe(404);
    expect(await at.rows("select 1 from identities where id = $1", href.split("/").at(-1))).toHaveLength(1);
  });

  test("the last way in stays: of two unlinked at once one is refused", async () => {
    const second = await at.create(at.operator, { email_domains: ["*"], link_policy: "verified_email" });
    const visitor = await at.signIn(at.anywhere, person("double"));
    await visitor.allow();
    await (await at.signIn(second, person("double"))).allow();
    await visitor.go(methods);
    const hrefs = unlinkOf(visitor);
    expect(hrefs).toHaveLength(2);
    const forms: PageForm[] = [];
    for (const href of hrefs) {
      await visitor.go(href);
      forms.push(formTo(visitor.page, "/unlink"));
    }
    const both = await Promise.all(
      forms.map(({ action, fields: { csrf = "" } }) => visitor.browser.send(action, { csrf })),
    );
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([303, 400]);
    await visitor.go(methods);
    expect(unlinkOf(visitor)).toHaveLength(1);
  });

  test("the last way in stays: what is linked at one that is suspended, or that its person left, is none", async () => {
    const second = await at.create(at.operator, { email_domains: ["*"], link_policy: "verified_email" });
    const visitor = await at.signIn(at.anywhere, person("left"));
    await visitor.allow();
    await visitor.go(methods);
    const [href = ""] = unlinkOf(visitor);
    await (await at.signIn(second, person("left"))).allow();
    await visitor.go(href);
    const { action, fields } = formTo(visitor.page, "/unlink");
    const move = "update identity_providers set tenant_id = $1 where id = $2";
    await at.rows(move, at.evilTenant, second);
    const { csrf = "" } = fields;
    const unlink = async (): Promise<number> => (await visitor.browser.send(action, { csrf })).status;
    expect(await unlink()).toBe(400);
    await at.rows(
      `insert into memberships (tenant_id, account_id, role, created_at)
        select $1, account_id, 'member', now() from identities where provider_id = $2`,
      at.evilTenant,
      second,
    );
    const path = `/api/v1/organizations/${at.evilTenant}`;
    for (const [change, who, of] of [
      [{ status: "suspended" }, at.operator, path],
      [{ status: "active" }, at.operator, path],
      [{ status: "suspended" }, at.evil, `/api/v1/identity-providers/${second}`],
    ] as const) {
      expect((await who.call("PATCH", of, change)).status).toBe(200);
      if (change.status === "suspended") expect(await unlink()).toBe(400);
    }
    expect((await visitor.go(href)).html).toContain("This is your only way in");
    expect((await at.change(at.evil, second, { status: "active" })).status).toBe(200);
    expect(await unlink()).toBe(303);
  });
});
