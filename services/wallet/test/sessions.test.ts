import { rm } from "node:fs/promises";
import { hourMs, minuteMs, newId, secondMs } from "@remit/kernel";
import { kekFiles, openKeyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import {
  checkCatalogue,
  scratchFolder,
  type TestClock,
  type TestDatabase,
  testClock,
  testDatabase,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAccessTokens, createActingTokens } from "../src/api/index.ts";
import { migrations, tables } from "../src/index.ts";
import type { Issuer } from "../src/issuer/index.ts";
import { isUse } from "../src/portal/index.ts";
import { createSessions, type NewSession, type PortalSession, type Sessions } from "../src/sessions/index.ts";
import { createCookies } from "../src/sign-in/index.ts";

const issuerOrigin = "https://as.example";
let database: TestDatabase;
let db: Database;
let clock: TestClock;
let sessions: Sessions;
let dataDir: string;
let closeKeys: () => void;

beforeAll(async () => {
  database = await testDatabase({ service: "wallet", sources: migrations });
  db = database.open();
  clock = testClock();
  dataDir = scratchFolder("remit-wallet-");
  const log = createLog({ service: "wallet", level: "silent" });
  const keyring = await openKeyring({ db, source: kekFiles(dataDir), clock, log });
  closeKeys = () => keyring.close();
  sessions = createSessions({ db, keyring, clock });
});
afterAll(async () => {
  closeKeys();
  await database.drop();
  await rm(dataDir, { recursive: true });
});

const newSession = (account = newId("account")): NewSession => ({
  sid: newId("session"),
  person: { account, name: "Ada", email: "ada@example.com", acr: "urn:remit:aal1", signedInAt: clock.now() },
  tokens: {
    refresh: "refresh-1",
    idToken: "id-token",
    access: { [issuerOrigin]: { token: "access-1", until: clock.now() } },
  },
});

async function opened(of = newSession()): Promise<{ secret: string; session: PortalSession }> {
  const secret = await sessions.open(of, undefined);
  const session = await sessions.find(secret);
  if (session === undefined) throw new TypeError("a session just opened is found");
  return { secret, session };
}

test("T03 the tables are what the service says they are", async () => {
  expect(await checkCatalogue(database, tables)).toEqual([]);
});

describe("a session of the portal", () => {
  test("its secret, its tokens and its person are nowhere in the database in the clear", async () => {
    const { secret } = await opened();
    const [row] = await database.asAdmin<{ all: string }>(
      "select string_agg(s::text || encode(s.sealed, 'escape'), ' ') as all from portal_sessions s",
    );
    for (const word of [secret, "refresh-1", "access-1", "id-token", "ada@example.com"])
      expect(row?.all.includes(word), word).toBe(false);
  });

  test("it ends after 30 minutes unused, and after 12 hours however much it is used", async () => {
    const unused = await opened();
    const used = await opened();
    for (let passed = 0; passed < 12 * hourMs - 25 * minuteMs; passed += 25 * minuteMs) {
      clock.advance(25 * minuteMs);
      expect(await sessions.find(used.secret), `after ${passed}`).toBeDefined();
    }
    expect(await sessions.find(unused.secret)).toBeUndefined();
    clock.advance(25 * minuteMs);
    expect(await sessions.find(used.secret)).toBeUndefined();
  });

  test("a new sign-in in the same browser has another secret, and the former one opens nothing", async () => {
    const before = await opened();
    const secret = await sessions.open(newSession(), before.secret);
    expect(secret).not.toBe(before.secret);
    expect(await sessions.find(before.secret)).toBeUndefined();
    expect(await sessions.find(secret)).toBeDefined();
  });

  test("the issuer's word ends one session by its sid, and all of a person by their account", async () => {
    const account = newId("account");
    const [first, second, stranger] = [
      await opened(newSession(account)),
      await opened(newSession(account)),
      await opened(),
    ];
    expect(await sessions.endAll({ sid: first.session.sid })).toBe(1);
    expect(await sessions.find(first.secret)).toBeUndefined();
    expect(await sessions.find(second.secret)).toBeDefined();
    expect(await sessions.endAll({ account })).toBe(1);
    expect(await sessions.find(second.secret)).toBeUndefined();
    expect(await sessions.find(stranger.secret)).toBeDefined();
  });

  test("a page that is only left open does not keep it alive", async () => {
    const { secret } = await opened();
    for (let looks = 0; looks < 6; looks++) {
      expect(await sessions.look(secret)).toBeDefined();
      clock.advance(5 * minuteMs);
    }
    expect(await sessions.look(secret)).toBeUndefined();
    expect(await sessions.find(secret)).toBeUndefined();
  });

  test.each([
    ["a page that somebody opens", "GET", "/", "remit-portal=x", true],
    ["what a form does", "POST", "/?/act", "remit-portal=x", true],
    ["what a form does while its page asks by itself", "POST", "/?/act", "still=1; remit-portal=x", true],
    ["a page that asks by itself", "GET", "/__data.json", "remit-portal=x; still=1", false],
    ["an open stream", "GET", "/live", "remit-portal=x", false],
    ["a notice that asks what it says", "GET", "/told/apv_x", "remit-portal=x", false],
    ["an open stream that is looked at", "HEAD", "/live?x", "remit-portal=x", false],
  ])("is used by whoever does something: %s", (_what, method, path, header, used) => {
    const origin = "http://localhost:3001";
    const call = { method, url: origin + path, cookies: header };
    expect(isUse(call, createCookies(origin))).toBe(used);
  });

  test("of two that keep refreshed tokens at once, the first has kept its own", async () => {
    const { secret, session } = await opened();
    expect(await sessions.keep(session, { ...session.tokens, refresh: "refresh-2" })).toBe(true);
    expect(await sessions.keep(session, { ...session.tokens, refresh: "refresh-3" })).toBe(false);
    expect((await sessions.find(secret))?.tokens.refresh).toBe("refresh-2");
  });
});

describe("access tokens of a session", () => {
  /** An issuer whose refresh tokens are used up by each use, and that says so to whoever brings an old one. */
  function issuer(): Issuer & { readonly used: string[] } {
    const used: string[] = [];
    return {
      used,
      origin: issuerOrigin,
      thumbprint: "",
      post: async (_path, form) => {
        const token = form["refresh_token"] ?? "";
        if (used.includes(token)) return { status: 400, body: { error: "invalid_grant" } };
        used.push(token);
        const next = {
          access_token: `access-${used.length + 1}`,
          refresh_token: `refresh-${used.length + 1}`,
        };
        return { status: 200, body: { ...next, expires_in: 300 } };
      },
      call: () => Promise.reject(new TypeError("nothing is called")),
    };
  }

  test("twenty requests that need a new one at once use the refresh token up once", async () => {
    const { session } = await opened();
    const as = issuer();
    const tokens = createAccessTokens({ sessions, issuer: as, clock });
    const got = await Promise.all(Array.from({ length: 20 }, () => tokens.get(session, issuerOrigin)));
    expect(new Set(got)).toEqual(new Set(["access-2"]));
    expect(as.used).toEqual(["refresh-1"]);
  });

  test("a session whose refresh token the issuer does not take any more is over here, too", async () => {
    const { secret, session } = await opened();
    const as = issuer();
    as.used.push("refresh-1");
    const tokens = createAccessTokens({ sessions, issuer: as, clock });
    expect(await tokens.get(session, issuerOrigin)).toBeUndefined();
    expect(await sessions.find(secret)).toBeUndefined();
  });

  test("one that a service has refused is not handed out again, and one that lives is", async () => {
    const { session } = await opened();
    const tokens = createAccessTokens({ sessions, issuer: issuer(), clock });
    const first = (await tokens.get(session, issuerOrigin)) ?? "";
    clock.advance(60 * secondMs);
    expect(await tokens.get((await sessions.again(session)) ?? session, issuerOrigin)).toBe(first);
    expect(await tokens.renew(session, issuerOrigin, first)).not.toBe(first);
  });
});

describe("tokens by which a person acts for an organization", () => {
  const [mine, other] = [newId("tenant"), newId("tenant")];
  const directory = "https://directory.example";

  /** An issuer that exchanges for one organization, and takes a person's token until it is told not to. */
  function issuer() {
    const asked: Record<string, string>[] = [];
    const taken = new Set<string>();
    let refreshed = 1;
    const post: Issuer["post"] = async (_path, form) => {
      if (form["grant_type"] === "refresh_token") {
        refreshed += 1;
        const tokens = { access_token: `access-${refreshed}`, refresh_token: `refresh-${refreshed}` };
        return { status: 200, body: { ...tokens, expires_in: 600 } };
      }
      asked.push({ ...form });
      if (taken.has(form["subject_token"] ?? "")) return { status: 400, body: { error: "invalid_request" } };
      if (form["organization_id"] !== mine) return { status: 400, body: { error: "invalid_target" } };
      return { status: 200, body: { access_token: `acting-${asked.length}`, expires_in: 300 } };
    };
    const as = {
      origin: issuerOrigin,
      thumbprint: "",
      post,
      call: () => Promise.reject(new TypeError("nothing is called")),
    };
    const tokens = createAccessTokens({ sessions, issuer: as, clock });
    return { asked, taken, acting: createActingTokens({ issuer: as, tokens, clock }) };
  }

  test("one is asked for once, names the organization and the service, and is renewed before it ends", async () => {
    const { session } = await opened();
    const { asked, acting } = issuer();
    const wanted = { organization: mine, origin: directory };
    const both = await Promise.all([acting.get(session, wanted), acting.get(session, wanted)]);
    expect(both).toEqual(["acting-1", "acting-1"]);
    expect(asked).toMatchObject([{ organization_id: mine, resource: directory }]);
    clock.advance(290 * secondMs);
    expect(await acting.get(session, wanted)).toBe("acting-2");
    expect(await acting.get(session, wanted, "acting-2")).toBe("acting-3");
  });

  test("another person's session never gets it, and an organization that is not theirs is not found", async () => {
    const [{ session }, stranger] = [await opened(), await opened()];
    const { acting } = issuer();
    const wanted = { organization: mine, origin: directory };
    expect(await acting.get(session, wanted)).toBe("acting-1");
    expect(await acting.get(stranger.session, wanted)).toBe("acting-2");
    await expect(acting.get(session, { ...wanted, organization: other })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("a person's token that counts no more is renewed once for the exchange", async () => {
    const { session } = await opened();
    const { taken, acting } = issuer();
    taken.add("access-2");
    expect(await acting.get(session, { organization: mine, origin: directory })).toBe("acting-2");
  });
});

describe("the cookie", () => {
  test("over https its name binds it to this host, and no script reads it anywhere", () => {
    for (const [origin, name] of [
      ["https://wallet.example", "__Host-remit-portal="],
      ["http://localhost:3001", "remit-portal="],
    ] as const) {
      const { session } = createCookies(origin);
      const set = session.set("secret");
      expect(set.startsWith(name)).toBe(true);
      expect(set).toContain("HttpOnly; SameSite=Lax");
      expect(set.includes("; Secure")).toBe(origin.startsWith("https:"));
      expect(session.read(`x=1; ${name}secret; y=2`)).toBe("secret");
      expect(session.read("evil-remit-portal=1")).toBeUndefined();
    }
  });
});
