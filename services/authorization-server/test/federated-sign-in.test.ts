import { after, type Clock, systemClock } from "@remit/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Browser, formTo, type Page } from "./browser.ts";
import type { Answer, OAuthClient } from "./client.ts";
import { Management } from "./management.ts";
import { operatorSecret } from "./operator.ts";
import { askAsWallet, letterTo, walletOf } from "./person.ts";
import { claimsOf } from "./relying-party.ts";
import { adminSecret, principal, type Running, startServer, walletRedirect } from "./running.ts";
import { UpstreamProvider } from "./upstream.ts";

let running: Running;
let upstream: UpstreamProvider;
let wallet: OAuthClient;
let operator: Management;
let management: Management;

let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => after(systemClock.now(), aheadMs) };

beforeAll(async () => {
  upstream = await new UpstreamProvider().start();
  running = await startServer({ outboundAllow: [upstream.host], trustedProxies: ["127.0.0.1"] }, { clock });
  wallet = walletOf(running);
  management = new Management(running);
  const again = await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    operator: { clientSecret: operatorSecret },
  });
  operator = new Management({ ...running, adminId: again.operator?.clientId ?? "" }, operatorSecret);
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.reset();
  aheadMs = 0;
});

let addresses = 0;

/** Somebody in front of the sign-in page of the wallet. */
class Visitor {
  readonly browser = new Browser();
  readonly ip = `203.0.113.${++addresses % 250}`;
  page!: Page; // set by `open`, which makes every visitor
  #asked!: Awaited<ReturnType<typeof askAsWallet>>;

  static async open(more: Record<string, string> = {}): Promise<Visitor> {
    const visitor = new Visitor();
    await visitor.ask(more);
    return visitor;
  }

  async ask(more: Record<string, string> = {}): Promise<void> {
    this.#asked = await askAsWallet(running, wallet, more);
    this.page = await this.browser.open(this.#asked.url, walletRedirect);
  }

  get uid(): string {
    return /\/oauth\/interactions\/([\w-]+)/.exec(this.page.url)?.[1] ?? "";
  }

  async go(url: string): Promise<Page> {
    this.page = await this.browser.open(new URL(url, running.issuer).href, walletRedirect);
    return this.page;
  }

  /** Follows the provider's button, and whatever comes of it. */
  through = (provider: string): Promise<Page> =>
    this.go(`/oauth/interactions/${this.uid}/identity-providers/${provider}`);

  async send(step: string, filled: Record<string, string>): Promise<Page> {
    const { action, fields } = formTo(this.page, step);
    const response = await this.browser.send(
      action,
      { ...fields, ...filled },
      { "x-forwarded-for": this.ip },
    );
    const location = response.headers.get("location");
    this.page =
      location === null
        ? { url: action, status: response.status, headers: response.headers, html: await response.text() }
        : await this.browser.open(new URL(location, action).href, walletRedirect);
    return this.page;
  }

  async allow(): Promise<Answer> {
    if (!this.page.url.startsWith(walletRedirect)) await this.send("/consent", { decision: "approve" });
    return this.#asked.redeem(this.page.url);
  }
}

const create = async (by: Management, more: object = {}): Promise<string> => {
  const answer = await by.call("POST", "/api/v1/identity-providers", {
    name: "Acme",
    issuer: upstream.issuer,
    client_id: upstream.clientId,
    client_authentication: { method: "client_secret_basic", client_secret: upstream.clientSecret },
    ...more,
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return String(answer.body["id"]);
};

const person = (sub: string, more: object = {}) => ({
  sub,
  email: `${sub}@people.example`,
  email_verified: true,
  name: "Lin",
  ...more,
});

const tokenOf = (answer: Answer) => claimsOf(answer.body["access_token"]);

describe("somebody signs in with the operator's provider", () => {
  let provider: string;
  beforeAll(async () => {
    provider = await create(operator, {
      name: "Anywhere",
      email_domains: ["*"],
      jit_policy: "domain",
      link_policy: "verified_email",
    });
  });

  test("a new person gets an account, and comes back to it by subject though the address changed", async () => {
    upstream.person = person("lin");
    const visitor = await Visitor.open();
    expect(visitor.page.html).toContain(`identity-providers/${provider}"`);
    expect(visitor.page.html).toContain("Continue with Anywhere");
    await visitor.through(provider);
    const first = tokenOf(await visitor.allow());
    expect(first).toMatchObject({ acr: "urn:remit:aal1", amr: ["fed"] });
    expect((await letterTo(running, "lin@people.example")).text).toContain("“Anywhere”");
    upstream.person = person("lin", { email: "other@people.example", email_verified: false });
    const again = await Visitor.open();
    await again.through(provider);
    expect(tokenOf(await again.allow())["sub"]).toBe(first["sub"]);
  });
});
