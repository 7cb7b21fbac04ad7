import path from "node:path";
import { after, type Clock, systemClock } from "@remit/kernel";
import { lettersIn } from "@remit/platform/mail";
import { eventually } from "@remit/testkit";
import { Browser, formTo, type Page } from "./browser.ts";
import type { Answer, OAuthClient } from "./client.ts";
import { Management } from "./management.ts";
import { operatorSecret } from "./operator.ts";
import { askAsWallet, walletOf } from "./person.ts";
import { claimsOf } from "./relying-party.ts";
import { adminSecret, principal, type Running, startServer, walletRedirect } from "./running.ts";
import { type Person, UpstreamProvider } from "./upstream.ts";

/**
 * A server with a provider of its operator (`anywhere`: every domain that is no tenant's), one of Ada's organization
 * (`acme`, for example.com, which is its own), and one of a stranger (`evilProvider`, whose tenant has no domain).
 */
export class Federation {
  readonly upstream = new UpstreamProvider();
  running!: Running; // all of it set by `start`, which makes every federation
  wallet!: OAuthClient;
  operator!: Management;
  management!: Management;
  evil!: Management;
  evilTenant!: string;
  anywhere!: string;
  acme!: string;
  evilProvider!: string;
  /** By how much the server's clock is ahead. */
  aheadMs = 0;
  #addresses = 0;

  static async start(tenantOutboundAllow: readonly string[] = []): Promise<Federation> {
    const made = new Federation();
    const clock: Clock = { ...systemClock, now: () => after(systemClock.now(), made.aheadMs) };
    await made.upstream.start();
    const allow = [made.upstream.host, ...tenantOutboundAllow];
    made.running = await startServer(
      { tenantOutboundAllow: allow, trustedProxies: ["127.0.0.1"] },
      { clock },
    );
    made.wallet = walletOf(made.running);
    made.management = new Management(made.running);
    await made.#configure();
    return made;
  }

  async #configure(): Promise<void> {
    const { running, management } = this;
    const again = await running.service.bootstrap({
      tenant: { name: "Ada's" },
      principal,
      admin: { clientSecret: adminSecret },
      operator: { clientSecret: operatorSecret },
    });
    this.operator = new Management({ ...running, adminId: again.operator?.clientId ?? "" }, operatorSecret);
    const secret = "eve-admin-secret-of-many-random-bits-0123456789";
    const eve = await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: eves,
      admin: { clientSecret: secret },
    });
    this.evil = new Management({ ...running, adminId: eve.admin.clientId }, secret);
    this.evilTenant = eve.tenant;
    const open = { link_policy: "verified_email", jit_policy: "domain" };
    this.anywhere = await this.create(this.operator, { name: "Anywhere", email_domains: ["*"], ...open });
    await this.assign("example.com", running.tenant);
    this.acme = await this.create(management, { email_domains: ["example.com"], ...open });
    this.evilProvider = await this.create(this.evil, { name: "Evil", ...open });
  }

  async create(by: Management, more: object = {}): Promise<string> {
    const { upstream } = this;
    const answer = await by.call("POST", "/api/v1/identity-providers", {
      name: "Acme",
      issuer: upstream.issuer,
      client_id: upstream.clientId,
      client_authentication: { method: "client_secret_basic", client_secret: upstream.clientSecret },
      ...more,
    });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return String(answer.body["id"]);
  }

  change = (by: Management, id: string, more: object): Promise<Answer> =>
    by.call("PATCH", `/api/v1/identity-providers/${id}`, more);

  assign = (domain: string, tenant: string): Promise<Answer> =>
    this.operator.call("PUT", `/api/v1/email-domains/${domain}`, { organization_id: tenant });

  rows = <T extends object>(text: string, ...values: unknown[]): Promise<T[]> =>
    this.running.database.asAdmin<T>(text, values);

  /** What Ada has linked. */
  adasIdentities = (): Promise<object[]> =>
    this.rows("select 1 from identities where account_id = $1", this.running.account);

  forgetAda = (): Promise<object[]> =>
    this.rows("delete from identities where account_id = $1", this.running.account);

  /** The letter to somebody that says this, once it has come; others may come before and after it. */
  letter = (to: string, saying: string | RegExp): Promise<string> =>
    eventually(async () => {
      const letters = await lettersIn(path.join(this.running.dataDir, "mail"), to);
      const found = letters.find(({ text }) => text.match(saying) !== null);
      if (found === undefined) throw new Error(`no letter to ${to} says ${String(saying)}`);
      return found.text;
    });

  codeTo = async (to: string): Promise<string> => {
    const code = /\b[0-9A-Z]{5}-[0-9A-Z]{5}\b/;
    return code.exec(await this.letter(to, code))?.[0] ?? "";
  };

  newAddress = (): string => `203.0.113.${++this.#addresses % 250}`;

  async visitor(more: Record<string, string> = {}): Promise<Visitor> {
    const visitor = new Visitor(this);
    await visitor.ask(more);
    return visitor;
  }

  /** Somebody new in front of the page that their sign-in with a provider leads to. */
  async signIn(provider: string, who: Person, more: Record<string, string> = {}): Promise<Visitor> {
    this.upstream.person = who;
    const visitor = await this.visitor(more);
    await visitor.through(provider);
    return visitor;
  }

  reset(): void {
    this.upstream.reset();
    this.aheadMs = 0;
  }

  async close(): Promise<void> {
    await this.running?.close();
    await this.upstream.close();
  }
}

export const eves = { email: "eve@evil.example", name: "Eve", password: "another horse battery staple" };

export const person = (sub: string, more: object = {}): Person => ({
  sub,
  email: `${sub}@people.example`,
  email_verified: true,
  name: "Lin",
  ...more,
});
export const ada = (sub = "ada", more: object = {}): Person =>
  person(sub, { email: principal.email, ...more });

export const tokenOf = (answer: Answer): Record<string, unknown> => claimsOf(answer.body["access_token"]);

/** Why somebody is not signed in yet, as the page says. */
export const codeOn = (page: Page): string | undefined => /Code: <code>(\w+)<\/code>/.exec(page.html)?.[1];

/** Somebody in front of the sign-in page of the wallet. */
export class Visitor {
  /** As behind an ingress: each comes from an address of their own. */
  readonly browser: Browser;
  readonly #at: Federation;
  #page!: Page; // set by `ask`
  #asked!: Awaited<ReturnType<typeof askAsWallet>>;
  #uid = "";

  constructor(at: Federation) {
    this.#at = at;
    this.browser = new Browser({ "x-forwarded-for": at.newAddress() });
  }

  async ask(more: Record<string, string> = {}): Promise<void> {
    this.#asked = await askAsWallet(this.#at.running, this.#at.wallet, more);
    this.page = await this.browser.open(this.#asked.url, walletRedirect);
  }

  get page(): Page {
    return this.#page;
  }

  set page(page: Page) {
    this.#page = page;
    this.#uid = /\/oauth\/interactions\/([\w-]+)/.exec(page.url)?.[1] ?? this.#uid;
  }

  /** The conversation that they were in last. */
  get uid(): string {
    return this.#uid;
  }

  async go(url: string): Promise<Page> {
    this.page = await this.browser.open(new URL(url, this.#at.running.issuer).href, walletRedirect);
    return this.page;
  }

  /** Follows the provider's button, and whatever comes of it. */
  through = (provider: string): Promise<Page> => this.go(this.startOf(provider));

  startOf = (provider: string): string => `/oauth/interactions/${this.uid}/identity-providers/${provider}`;

  /** Goes to the provider and gets its answer, which the browser is not yet sent to. */
  async answerOf(provider: string): Promise<string> {
    const out = await this.browser.send(new URL(this.startOf(provider), this.#at.running.issuer).href);
    const back = await this.browser.send(out.headers.get("location") ?? "");
    return back.headers.get("location") ?? "";
  }

  /** The sign-in page of the same conversation, and who signs in there. */
  async signInAs(email: string = principal.email, password: string = principal.password): Promise<Page> {
    await this.go(`/oauth/interactions/${this.uid}`);
    return this.send("/sign-in", { email, password });
  }

  async send(step: string, filled: Record<string, string>): Promise<Page> {
    const { action, fields } = formTo(this.page, step);
    const response = await this.browser.send(action, { ...fields, ...filled });
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
