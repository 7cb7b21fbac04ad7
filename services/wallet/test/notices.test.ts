import { createPublicKey, verify } from "node:crypto";
import { rm } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import path from "node:path";
import { after, type Id, minuteMs, newId, Secret, secondMs, toRfc3339 } from "@remit/kernel";
import { createJobs, type Jobs } from "@remit/platform/jobs";
import { type Keyring, kekFiles, openKeyring } from "@remit/platform/keys";
import { lettersIn, mailEngine } from "@remit/platform/mail";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { type NoticeBody, TellNotices } from "@remit/protocol/contracts";
import {
  eventually,
  scratchFolder,
  type TestClock,
  type TestDatabase,
  testClock,
  testDatabase,
} from "@remit/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrations } from "../src/index.ts";
import {
  createNotices,
  createPushSender,
  type Notices,
  noticeJobs,
  noticesRoute,
  pushKeyOf,
} from "../src/notices/index.ts";
import { encryptFor } from "../src/notices/web-push.ts";
import { createViews } from "../src/views/index.ts";
import { browserKeys, mailServer, pushService } from "./outside.ts";

const origin = "https://wallet.example";
let database: TestDatabase;
let db: Database;
let clock: TestClock;
let keyring: Keyring;
let dataDir: string;
let outbound: Outbound;
let notices: Notices;
/** Whose sessions were ended. */
const ended: string[] = [];
const endSessions = async (of: { readonly account: string }): Promise<void> => void ended.push(of.account);
let jobs: Jobs;
let closeKeys: () => void;
let service: Awaited<ReturnType<typeof pushService>>;
let smtp: Awaited<ReturnType<typeof mailServer>>;
const log = createLog({ service: "wallet", level: "silent" });

beforeAll(async () => {
  [database, service, smtp] = await Promise.all([
    testDatabase({ service: "wallet", sources: migrations }),
    pushService(),
    mailServer(),
  ]);
  db = database.open();
  clock = testClock();
  dataDir = scratchFolder("remit-notices-");
  const opened = await openKeyring({ db, source: kekFiles(dataDir), clock, log });
  keyring = opened;
  closeKeys = () => opened.close();
  outbound = createOutbound({ allow: [service.host], log, clock });
  const pushKey = pushKeyOf(keyring);
  notices = createNotices({ db, keyring, clock, pushKey, outbound, inbox: undefined, endSessions });
});
afterAll(async () => {
  closeKeys();
  await outbound.close();
  await Promise.all([service.close(), smtp.close()]);
  await database.drop();
  await rm(dataDir, { recursive: true });
});
beforeEach(async () => {
  service.pushed.length = service.next.length = smtp.letters.length = smtp.next.length = 0;
  jobs = await startJobs();
});
afterEach(() => jobs.stop());

async function startJobs(): Promise<Jobs> {
  const push = createPushSender({ pushKey: pushKeyOf(keyring), subject: origin, outbound, clock });
  const from = "Remit <remit@wallet.example>";
  const mail = mailEngine({ url: new Secret(smtp.url), from }, dataDir);
  const made = createJobs({ db, log, clock, pollMs: 40 });
  noticeJobs(made, { db, keyring, clock, mail, push, origin });
  await made.start();
  return made;
}

const browser = browserKeys();
let account: Id<"account">;
/** Somebody with one browser, and with letters where they want them. */
async function somebody(wishes: { mail?: boolean; money?: boolean; push?: boolean } = {}): Promise<void> {
  account = newId("account");
  const of = notices.of(account);
  const { mail = false, money = false, push = true } = wishes;
  if (push) {
    const endpoint = `${service.origin}/of/${account}`;
    await of.addDevice(
      { endpoint, p256dh: browser.p256dh, auth: browser.auth },
      { name: "Firefox", language: "de" },
    );
    const [device] = (await of.settings()).devices;
    await of.setDevice(device?.id ?? "", { questions: true, money });
  }
  if (mail) await of.setMail({ questions: true, money }, { email: `${account}@example.com`, language: "en" });
}

const question = (of: Partial<NoticeBody> = {}): NoticeBody => ({
  id: newId("event"),
  kind: "question",
  account,
  subject: newId("approval"),
  at: toRfc3339(clock.now()),
  until: toRfc3339(after(clock.now(), 5 * minuteMs)),
  ...of,
});
const capture = (): NoticeBody => ({
  id: newId("event"),
  kind: "capture",
  account,
  subject: newId("charge"),
  at: toRfc3339(clock.now()),
});
const hear = (...told: readonly NoticeBody[]): Promise<void> =>
  notices.hear({ notices: [...told], answered: [] });
const mine = () => service.pushed.filter(({ path: at }) => at === `/of/${account}`);
const read = (at = 0): Record<string, string> =>
  JSON.parse(browser.open(mine()[at]?.body ?? Buffer.alloc(0)));
const states = async (): Promise<string[]> =>
  (await notices.of(account).settings()).told.map(({ way, state }) => `${way} ${state}`).sort();
/** All that is due has been done: what comes after cannot be what was still under way. */
const settled = (...expected: string[]): Promise<void> =>
  eventually(async () => expect(await states()).toEqual(expected));

describe("the encryption of a push", () => {
  test("is that of RFC 8291, appendix A", () => {
    const b64 = (text: string): Buffer => Buffer.from(text, "base64url");
    const receiver = browserKeys({
      secret: b64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
      auth: b64("BTBZMqHH6r4Tts7J_aSIgg"),
    });
    const sealed = encryptFor(receiver, Buffer.from("When I grow up, I want to be a watermelon"), {
      salt: b64("DGv6ra1nlYgDCS1FRnbzlw"),
      secret: b64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
    });
    expect(Buffer.from(sealed).toString("base64url")).toBe(
      "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
    );
    expect(receiver.open(sealed)).toBe("When I grow up, I want to be a watermelon");
  });

  test("its key is the same in every process of the installation, and its public half is a point that browsers take", () => {
    const [one, other] = [pushKeyOf(keyring), pushKeyOf(keyring)];
    expect(one).toEqual(other);
    expect(Buffer.from(one.publicKey, "base64url").length).toBe(65);
    expect(pushKeyOf({ derive: () => Buffer.alloc(32, 7) }).publicKey).not.toBe(one.publicKey);
  });
});

describe("a question of an agent", () => {
  test("is pushed at once, in the language of the browser, says where it leads and nothing of whom or how much", async () => {
    await somebody();
    const asked = question();
    await hear(asked);
    await settled("push sent");
    const { tag, path: at, ...said } = read();
    expect({ tag, at }).toEqual({ tag: asked.id, at: `/approvals/${asked.subject}` });
    expect(said["title"]).toBe("Ein Agent fragt Sie etwas");
    expect(Object.keys(said).sort()).toEqual(["body", "title"]);
    expect(JSON.stringify(said)).not.toMatch(/\d/);
  });

  test("carries what a push service checks: our key for it alone, for half a day, and it waits no longer than the question", async () => {
    await somebody();
    await hear(question());
    await settled("push sent");
    const headers: IncomingHttpHeaders = mine()[0]?.headers ?? {};
    const [, token = "", key = ""] = /^vapid t=(\S+), k=(\S+)$/.exec(headers.authorization ?? "") ?? [];
    const { publicKey, key: jwk } = pushKeyOf(keyring);
    expect(key).toBe(publicKey);
    const { d: _, ...publicJwk } = jwk;
    const [head = "", claims = "", signature = ""] = token.split(".");
    // RFC 7518 §3.4: r and s, one after the other.
    const signed = {
      key: createPublicKey({ key: publicJwk, format: "jwk" }),
      dsaEncoding: "ieee-p1363",
    } as const;
    expect(
      verify("sha256", Buffer.from(`${head}.${claims}`), signed, Buffer.from(signature, "base64url")),
    ).toBe(true);
    const payload = JSON.parse(Buffer.from(claims, "base64url").toString("utf8"));
    expect(payload.aud).toBe(service.origin);
    expect(payload.sub).toBe(origin);
    expect((payload.exp ?? 0) * 1000 - clock.now()).toBeLessThanOrEqual(24 * 60 * minuteMs);
    expect(headers["content-encoding"]).toBe("aes128gcm");
    expect(headers["ttl"]).toBe("300");
    expect(String(headers["topic"])).toMatch(/^[\w-]{1,32}$/);
  });

  test("that is heard three times, from two who tell it at once, is told once", async () => {
    await somebody();
    const asked = question();
    await Promise.all([hear(asked), hear(asked)]);
    await hear(asked);
    await settled("push sent");
    expect(mine().length).toBe(1);
  });

  test("is written in a letter that leads to it, unless it was answered before", async () => {
    await somebody({ mail: true, push: false });
    const [kept, answered] = [question(), question()];
    await hear(kept, answered);
    await notices.hear({ notices: [], answered: [answered.subject as Id<"approval">] }); // a question is of an approval
    clock.advance(21 * secondMs);
    await settled("mail late", "mail sent");
    const [printed = "", ...others] = smtp.letters;
    const letter = printed.replaceAll("=\r\n", ""); // RFC 2045 §6.7: a line that goes on
    expect(others).toEqual([]);
    expect(letter).toContain(`To: ${account}@example.com`);
    expect(letter).toContain(`${origin}/approvals/${kept.subject}`);
    expect(letter).toContain(`Message-ID: <${kept.id}@wallet.example>`);
  });

  test("whose time is over is told nobody", async () => {
    await somebody({ mail: true });
    await hear(question({ until: toRfc3339(clock.now()) }));
    clock.advance(21 * secondMs);
    await settled("mail late", "push late");
    expect([mine().length, smtp.letters.length]).toEqual([0, 0]);
  });

  test("is told nobody who did not ask for it, nor anybody else", async () => {
    await somebody({ money: true });
    const [device] = (await notices.of(account).settings()).devices;
    await notices.of(account).setDevice(device?.id ?? "", { questions: false, money: true });
    await hear(question(), { ...question(), account: newId("account") });
    expect(await states()).toEqual([]);
    expect(mine()).toEqual([]);
  });
});

describe("movements of money", () => {
  test("come together: many are one message, which counts them and leads to all", async () => {
    await somebody({ mail: true, money: true });
    await hear(capture(), capture(), { ...capture(), kind: "refund" });
    clock.advance(31 * secondMs);
    await settled("mail sent", "mail sent", "mail sent", "push sent", "push sent", "push sent");
    expect(mine().length).toBe(1);
    expect(read()).toMatchObject({
      path: "/activity",
      tag: "money",
      body: "3 Käufe wurden bezahlt oder erstattet.",
    });
    expect(smtp.letters.length).toBe(1);
  });

  test("one alone leads to its receipt", async () => {
    await somebody({ money: true });
    const paid = capture();
    await hear(paid);
    clock.advance(31 * secondMs);
    await settled("push sent");
    expect(read()["path"]).toBe(`/activity/${paid.subject}`);
  });
});

describe("a push service", () => {
  test("that cannot take it now is asked again, and the message is the same one", async () => {
    await somebody();
    service.next.push(503);
    await hear(question());
    await eventually(() => expect(mine().length).toBe(1));
    await settled("push waiting");
    clock.advance(5 * secondMs);
    await settled("push sent");
    expect(read(0)).toEqual(read(1));
    expect(mine()[0]?.headers["topic"]).toBe(mine()[1]?.headers["topic"]);
  });

  test("that says the browser is gone is believed: nothing is sent there again", async () => {
    await somebody();
    service.next.push(410);
    await hear(question());
    await settled("push refused");
    expect((await notices.of(account).settings()).devices).toEqual([]);
    await hear(question());
    expect(mine().length).toBe(1);
  });

  test("W01 at an address inside is refused when it is named", async () => {
    const of = notices.of(newId("account"));
    const keys = { p256dh: browser.p256dh, auth: browser.auth };
    for (const endpoint of ["http://localhost:1/x", "https://127.0.0.1/x", "https://169.254.169.254/x"])
      await expect(
        of.addDevice({ endpoint, ...keys }, { name: "x", language: "en" }),
        endpoint,
      ).rejects.toMatchObject({ code: "outbound_refused" });
  });

  test("is kept only with keys that a message can be made for: a point beside the curve would fail each of its jobs", async () => {
    const of = notices.of(newId("account"));
    const endpoint = `${service.origin}/of/x`;
    const beside = Buffer.from(browser.p256dh, "base64url").fill(7, 33).toString("base64url");
    for (const keys of [
      { p256dh: "AAAA", auth: browser.auth },
      { p256dh: beside, auth: browser.auth },
      { p256dh: browser.p256dh, auth: "AAAA" },
    ])
      await expect(
        of.addDevice({ endpoint, ...keys }, { name: "x", language: "en" }),
        keys.p256dh,
      ).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("a browser that somebody else subscribes is theirs from then on, and nobody changes another's", async () => {
    await somebody();
    const [before, [device]] = [account, (await notices.of(account).settings()).devices];
    const other = notices.of(newId("account"));
    expect(await other.setDevice(device?.id ?? "", { questions: false, money: false })).toBe(false);
    expect(await other.removeDevice(device?.id ?? "")).toBe(false);
    const endpoint = `${service.origin}/of/${before}`;
    await other.addDevice(
      { endpoint, p256dh: browser.p256dh, auth: browser.auth },
      { name: "x", language: "en" },
    );
    expect((await notices.of(before).settings()).devices).toEqual([]);
    await hear(question());
    expect(mine()).toEqual([]);
  });
});

describe("a mail server", () => {
  const ways = [
    ["takes it later: it is sent again", "later", "mail sent", 1],
    ["refuses it for good: it is not sent again", "never", "mail refused", 0],
    ["breaks off after it has the text: nobody knows, and it is not sent twice", "broken", "mail unknown", 1],
  ] as const;
  test.each(ways)("that %s", async (_, how, state, arrived) => {
    await somebody({ mail: true, push: false });
    smtp.next.push(how);
    await hear(question());
    clock.advance(21 * secondMs);
    await eventually(async () => {
      clock.advance(secondMs);
      expect(await states()).toEqual([state]);
    });
    expect(smtp.letters.filter((letter) => letter.includes(account)).length).toBe(arrived);
  });
});

describe("a process that died while it sent", () => {
  test.each([
    ["mail", "mail unknown", 0],
    ["push", "push sent", 1],
  ] as const)("leaves a %s that another ends", async (way, state, sent) => {
    await jobs.stop();
    await somebody({ mail: way === "mail", push: way === "push" });
    await hear(question());
    await database.asAdmin(
      `update notice_deliveries d set state = 'sending' from notices n where n.id = d.notice_id and n.account = '${account}'`,
    );
    clock.advance(21 * secondMs);
    jobs = await startJobs();
    await settled(state);
    expect(mine().length + smtp.letters.length).toBe(sent);
  });
});

test("no address, key or endpoint stands in the database in the clear, and a person who goes leaves nothing", async () => {
  await somebody({ mail: true });
  await hear(question());
  await settled("mail waiting", "push sent");
  const all = async (): Promise<string> =>
    JSON.stringify(
      await database.asAdmin(`select t::text, encode(sealed, 'escape') as sealed from (
        select row_to_json(p)::text as t, sealed from notice_people p where account = '${account}'
        union all select row_to_json(d)::text, sealed from notice_devices d where account = '${account}') x`),
    );
  const before = await all();
  expect(before).toContain(account);
  for (const word of [`${account}@`, service.host, browser.auth, browser.p256dh, "Firefox"])
    expect(before.includes(word), word).toBe(false);
  await notices.of(account).forget();
  expect(await all()).toBe("[]");
  expect(await states()).toEqual([]);
});

test("whoever is erased at the issuer is forgotten here: sessions, browsers, addresses, what was told and named views; nobody else is", async () => {
  await somebody({ mail: true, money: true });
  const other = account;
  await somebody({ mail: true, money: true });
  for (const each of [other, account])
    await notices.hear({ notices: [question({ account: each })], answered: [] });
  const views = createViews({ db, keyring, clock });
  for (const each of [other, account])
    await views.of(each).keep("/activity", { name: "Doctors", search: "text=clinic" });
  ended.length = 0;
  const forgotten = { notices: [], answered: [], forgotten: [account] };
  for (const told of [forgotten, forgotten]) await notices.hear(TellNotices.parse(told));
  expect(ended).toEqual([account, account]);
  expect(await notices.of(account).settings()).toMatchObject({ mail: undefined, devices: [], told: [] });
  expect(await views.of(account).all()).toEqual([]);
  expect(await views.of(other).all()).toHaveLength(1);
  const kept = await notices.of(other).settings();
  expect([kept.mail?.to, kept.devices.length, kept.told.length]).toEqual([`${other}@example.com`, 1, 2]);
});

test("nobody but the issuer makes us tell people anything", async () => {
  const { handle } = noticesRoute(notices);
  const call = { caller: { client: "billing" } } as unknown as Parameters<typeof handle>[0]; // all that it looks at
  await expect(
    Promise.resolve().then(() =>
      handle(call, { params: {}, query: {}, body: { notices: [], answered: [] } }),
    ),
  ).rejects.toMatchObject({ code: "client_not_allowed" });
});

test("in development a letter is kept where its addressee sees it, and nobody else", async () => {
  await jobs.stop();
  const inbox = path.join(dataDir, "mail");
  await mailEngine(undefined, inbox).deliver({
    id: newId("event"),
    to: "a@example.com",
    subject: "Ä",
    text: "x",
  });
  expect(await lettersIn(inbox, "a@example.com")).toEqual([{ to: "a@example.com", subject: "Ä", text: "x" }]);
  const shown = createNotices({
    db,
    keyring,
    clock,
    pushKey: pushKeyOf(keyring),
    outbound,
    inbox,
    endSessions,
  });
  expect((await shown.of(newId("account")).inbox("a@example.com"))?.length).toBe(1);
  expect(await shown.of(newId("account")).inbox("b@example.com")).toEqual([]);
  expect(await notices.of(newId("account")).inbox("a@example.com")).toBeUndefined();
});
