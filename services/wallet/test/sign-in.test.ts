import { rm } from "node:fs/promises";
import { newId, toNumericDate } from "@remit/kernel";
import { createHttp, type Http } from "@remit/platform/http";
import { kekFiles, openKeyring } from "@remit/platform/keys";
import { createLog, createMetrics } from "@remit/platform/telemetry";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk, signJws } from "@remit/protocol/node";
import { scratchFolder, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../src/index.ts";
import type { Issuer } from "../src/issuer/index.ts";
import { createSessions, type Sessions } from "../src/sessions/index.ts";
import { createCookies, createSignIns, signInPages } from "../src/sign-in/index.ts";

const issuerOrigin = "https://as.example";
const origin = "https://wallet.example";
const clock = testClock();
const key = generateJwk("ES256", "id-1");
let database: TestDatabase;
let dataDir: string;
let closeKeys: () => void;
let http: Http;
let bound: string;
let sessions: Sessions;

/** The nonce of each request that was pushed, by its state. */
const nonces = new Map<string, string>();

/** An issuer that lets everybody in: a code is the state that it answers. */
const issuer: Issuer = {
  origin: issuerOrigin,
  thumbprint: "",
  post: async (path, form) => {
    if (path === "/oauth/par") {
      nonces.set(form["state"] ?? "", form["nonce"] ?? "");
      return { status: 201, body: { request_uri: `urn:example:${form["state"]}` } };
    }
    const nowS = toNumericDate(clock.now());
    const idToken = signJws(
      key,
      { typ: "JWT" },
      {
        iss: issuerOrigin,
        aud: "wallet",
        sub: newId("account"),
        sid: newId("session"),
        acr: "urn:remit:aal1",
        auth_time: nowS,
        iat: nowS,
        exp: nowS + 300,
        nonce: nonces.get(form["code"] ?? "") ?? "",
      },
    );
    return {
      status: 200,
      body: { id_token: idToken, access_token: "access-1", refresh_token: "refresh-1", expires_in: 300 },
    };
  },
  call: () => Promise.reject(new TypeError("nothing is called")),
};

beforeAll(async () => {
  database = await testDatabase({ service: "wallet", sources: migrations });
  const db = database.open();
  dataDir = scratchFolder("remit-wallet-");
  const log = createLog({ service: "wallet", level: "silent" });
  const keyring = await openKeyring({ db, source: kekFiles(dataDir), clock, log });
  closeKeys = () => keyring.close();
  sessions = createSessions({ db, keyring, clock });
  const keys = async () => [publicJwkOf(key)];
  const signIns = createSignIns({ db, keyring, clock, issuer, keys, origin, resources: [] });
  http = createHttp({
    service: "wallet",
    origin,
    host: "127.0.0.1",
    port: 0,
    log,
    metrics: createMetrics("wallet"),
    clock,
  });
  http.add(
    ...signInPages({ signIns, sessions, cookies: createCookies(origin), issuer: issuerOrigin, origin }),
  );
  bound = await http.listen();
});
afterAll(async () => {
  await http.close();
  closeKeys();
  await database.drop();
  await rm(dataDir, { recursive: true });
});

/** A browser as far as signing in needs one: it keeps cookies, and goes nowhere by itself. */
class Browser {
  readonly cookies = new Map<string, string>();

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = new Headers(init.headers);
    headers.set("cookie", cookie);
    const answer = await fetch(bound + path, { ...init, redirect: "manual", headers });
    for (const set of answer.headers.getSetCookie()) {
      const [pair = "", ...flags] = set.split("; ");
      const at = pair.indexOf("=");
      if (flags.includes("Max-Age=0")) this.cookies.delete(pair.slice(0, at));
      else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return answer;
  }

  /** The state of the sign-in that was begun. */
  async begin(to?: string): Promise<string> {
    const answer = await this.send(to === undefined ? "/sign-in" : `/sign-in?${new URLSearchParams({ to })}`);
    const asked = new URL(answer.headers.get("location") ?? "").searchParams.get("request_uri") ?? "";
    return asked.replace("urn:example:", "");
  }

  /** Where the person is led once the issuer has let them in. */
  async end(state: string): Promise<string | null> {
    const query = new URLSearchParams({ state, iss: issuerOrigin, code: state });
    return (await this.send(`/callback?${query}`)).headers.get("location");
  }

  get secret(): string {
    return this.cookies.get("__Host-remit-portal") ?? "";
  }
}

describe("A20 after a sign-in", () => {
  test.each([
    "//evil.example",
    "https://evil.example/",
    "/\\evil.example",
    "/\t/evil.example",
    "/.//evil.example",
    "/%2e//evil.example/x",
    "/mandates/..//evil.example",
    "/./\\evil.example",
  ])("nobody is led elsewhere by %j", async (to) => {
    const browser = new Browser();
    const location = await browser.end(await browser.begin(to));
    expect(location).toBe("/");
    expect(await sessions.find(browser.secret)).toBeDefined();
  });

  test("the person is where they wanted to go, with what they asked for there", async () => {
    const browser = new Browser();
    expect(await browser.end(await browser.begin("/activity?status=captured"))).toBe(
      "/activity?status=captured",
    );
  });
});

describe("two tabs of a browser that sign in at once", () => {
  test("both get where they were, and what the first opened is over once the second has signed in", async () => {
    const browser = new Browser();
    const [one, two] = [await browser.begin("/mandates"), await browser.begin("/rules")];
    expect(await browser.end(one)).toBe("/mandates");
    const former = browser.secret;
    expect(await browser.end(two)).toBe("/rules");
    expect(await sessions.find(browser.secret)).toBeDefined();
    expect(await sessions.find(former)).toBeUndefined();
  });

  test("an answer that nobody asked for does not end the sign-in that is under way", async () => {
    const browser = new Browser();
    const state = await browser.begin("/rules");
    expect(await browser.end("a state of somebody else")).toBe("/not-signed-in?because=sign_in_unknown");
    expect(await browser.end(state)).toBe("/rules");
  });

  test("an answer is for the browser that asked, once", async () => {
    const [asked, other] = [new Browser(), new Browser()];
    const state = await asked.begin();
    await other.begin();
    expect(await other.end(state)).toBe("/not-signed-in?because=sign_in_unknown");
    expect(await asked.end(state)).toBe("/");
    expect(await asked.end(state)).toBe("/not-signed-in?because=sign_in_unknown");
  });
});

describe("signing out", () => {
  const post = (browser: Browser): Promise<Response> =>
    browser.send("/sign-out", {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: "",
    });

  test("leads on to the issuer, whose session lives on otherwise, also when ours has ended before", async () => {
    const browser = new Browser();
    await browser.end(await browser.begin());
    const { secret } = browser;
    const first = new URL((await post(browser)).headers.get("location") ?? "");
    expect(first.origin + first.pathname).toBe(`${issuerOrigin}/oauth/end-session`);
    expect(first.searchParams.get("id_token_hint")).not.toBeNull();
    expect(await sessions.find(secret)).toBeUndefined();
    const again = new URL((await post(browser)).headers.get("location") ?? "", origin);
    expect(again.origin + again.pathname).toBe(`${issuerOrigin}/oauth/end-session`);
    expect(again.searchParams.get("client_id")).toBe("wallet");
    expect(again.searchParams.get("post_logout_redirect_uri")).toBe(`${origin}/signed-out`);
  });

  test("is nothing that another site does", async () => {
    const browser = new Browser();
    await browser.end(await browser.begin());
    const answer = await browser.send("/sign-out", {
      method: "POST",
      headers: { origin: "https://evil.example", "content-type": "application/x-www-form-urlencoded" },
      body: "",
    });
    expect(answer.status).toBe(400);
    expect(await sessions.find(browser.secret)).toBeDefined();
  });
});
