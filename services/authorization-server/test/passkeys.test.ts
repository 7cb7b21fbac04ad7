import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type AuthorizationServerConfig, migrations } from "@remit/authorization-server";
import { minuteMs, secondMs } from "@remit/kernel";
import { createJobs } from "@remit/platform/jobs";
import { createKeyring, type Keyring, kekOf } from "@remit/platform/keys";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { checkCatalogue, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Account } from "../src/accounts/index.ts";
import { codeAt, stepAt } from "../src/factors/totp.ts";
import { createPeople, type People } from "../src/people.ts";
import { tables } from "../src/tables.ts";
import { createTenant, newTenantId } from "../src/tenants/index.ts";
import { decodeBase32, SoftwarePasskey, type Wrong } from "./authenticator.ts";

const issuer = "https://id.example";
const clock = testClock();
let database: TestDatabase;
let db: Database;
let dataDir: string;
let people: People;
let keyring: Keyring;
let account: Account;
let others = 0;

beforeAll(async () => {
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  db = database.open({ record: recordToOutbox });
  dataDir = await mkdtemp(path.join(tmpdir(), "remit-people-"));
  keyring = createKeyring({ kek: kekOf(new Uint8Array(32).fill(1)), clock });
  const log = createLog({ service: "test", level: "silent" });
  // People read these three of the settings.
  const config = { issuer, dataDir, signUp: "open" } as unknown as AuthorizationServerConfig;
  people = createPeople({ config, clock, log, db, keyring }, createJobs({ db, log, clock }));
});
afterAll(async () => {
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
});
beforeEach(async () => {
  account = await newAccount();
});

const newAccount = async (): Promise<Account> => {
  const password = await people.accounts.preparePassword("four words make a phrase");
  return db.of(newTenantId()).transaction(async (tx) => {
    await createTenant(tx, { name: "Lin", kind: "personal", now: clock.now() });
    const wanted = { name: "Lin", email: `lin-${++others}@example.com`, password };
    return people.accounts.create(tx, wanted, clock.now());
  });
};

const place = (conversation = "here") => ({ conversation, now: clock.now() });

async function enrol(
  passkey: SoftwarePasskey,
  { to = account, wrong = {} }: { to?: Account; wrong?: Wrong } = {},
): Promise<void> {
  const { passkeys } = people.factors;
  const { options, ticket } = await passkeys.beginEnrolment(place(), to);
  const given = { ticket, response: passkey.create(options, wrong), name: "Laptop", account: to.id };
  const checked = await passkeys.checkEnrolment(place(), given);
  const notify = { account: to, notify: true, now: clock.now() };
  await db.of(to.home).transaction((tx) => passkeys.add(tx, checked, notify));
}

const newPasskey = async (more: { deviceBound?: boolean } = {}): Promise<SoftwarePasskey> => {
  const passkey = new SoftwarePasskey({ origin: issuer, ...more });
  await enrol(passkey);
  return passkey;
};

async function use(
  passkey: SoftwarePasskey,
  { wrong = {}, ...given }: { wrong?: Wrong; account?: Account["id"]; verification?: "preferred" } = {},
) {
  const { passkeys } = people.factors;
  const asked = { verification: "required" as const, ...given };
  const { options, ticket } = await passkeys.beginUse(place(), asked);
  return passkeys.use(place(), { ...asked, ticket, response: passkey.get(options, wrong) });
}

const refused = { code: "passkey_refused" };

test("T03 the tables of people are declared, and hold digests and ciphertext alone", async () => {
  expect(await checkCatalogue(database, tables)).toEqual([]);
  const passkey = await newPasskey();
  const rows = await database.asAdmin<{ row: string }>("select passkeys::text as row from passkeys");
  const text = rows.map(({ row }) => row).join();
  expect(text).not.toContain(passkey.id.toString("hex"));
  expect(text).not.toContain(Buffer.from("Laptop").toString("hex"));
});

describe("A19 a mailed code", () => {
  let codes: string[];
  const send = async ({ purpose = "recovery-code", ip = "203.0.113.1", to = account } = {}) => {
    const letter = (code: string) => {
      codes.push(code);
      return { letter: { to: to.email, subject: "Code", text: code }, opens: true };
    };
    const digest = people.accounts.digestOf(to.email);
    const of = { purpose, email: to.email, digest, content: {}, letter };
    return people.mailedCodes.send({ ...place(), ip }, of);
  };
  const check = async (ticket: string, code: string, purpose = "recovery-code") =>
    (await people.mailedCodes.check(place(), { purpose, ticket, code }, z.strictObject({}))).outcome;
  const last = (): string => codes.at(-1) ?? "";
  beforeEach(() => {
    codes = [];
  });

  test("A19 opens nothing when its letter was not sent: asking again buys no guesses", async () => {
    for (let i = 0; i < 5; i++) expect(await check(await send(), last())).toBe("right");
    for (let i = 0; i < 2; i++) expect(await check(await send(), last())).toBe("wrong");
  });

  test("A19 has 50 bits in two groups, and is taken however it is typed", async () => {
    const ticket = await send();
    expect(last()).toMatch(/^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
    const typed = last().toLowerCase().replace("-", " ").replaceAll("0", "o").replaceAll("1", "l");
    expect(await check(ticket, typed)).toBe("right");
    expect(await check(ticket, last().replace("-", ""))).toBe("right");
    expect(await check(ticket, last().slice(1))).toBe("wrong");
  });

  test("A19 a wrong one is noted like every other wrong guess", async () => {
    const noted = async () =>
      (await database.asAdmin("select 1 from outbox where type = 'security.sign_in_failed'")).length;
    const before = await noted();
    const ticket = await send();
    expect(await check(ticket, "00000-00000")).toBe("wrong");
    expect(await check(ticket, last())).toBe("right");
    expect(await noted()).toBe(before + 1);
  });

  test("A19 asks for one purpose, or of a stranger elsewhere, leave the owner's letters alone", async () => {
    for (let i = 0; i < 6; i++) await send({ purpose: "sign-up-code" });
    for (let i = 0; i < 6; i++) await send({ ip: "198.51.100.7" });
    expect(await check(await send(), last())).toBe("right");
    expect(await check(await send({ purpose: "enrol-code" }), last(), "enrol-code")).toBe("right");
  });

  test("A19 a mailbox gets 20 an hour, from however many callers they are asked for", async () => {
    for (let i = 0; i < 20; i++)
      expect(await check(await send({ ip: `203.0.113.${i}` }), last())).toBe("right");
    expect(await check(await send({ ip: "203.0.113.99" }), last())).toBe("wrong");
  });

  test("A19 the addresses of one IPv6 network are one caller, those of another are not", async () => {
    for (let i = 0; i < 5; i++) await send({ ip: `2001:db8:1:2::${i}` });
    expect(await check(await send({ ip: "2001:db8:1:2:ffff::1" }), last())).toBe("wrong");
    expect(await check(await send({ ip: "2001:db8:1:3::1" }), last())).toBe("right");
  });
});

describe("A15 a passkey", () => {
  test("A15 signs its owner in, and says how", async () => {
    const used = await use(await newPasskey());
    expect(used.account.id).toBe(account.id);
    expect(used.proof).toEqual({ kind: "passkey", deviceBound: false, userVerified: true });
    const key = await use(await newPasskey({ deviceBound: true }));
    expect(key.proof.deviceBound).toBe(true);
  });

  const uses: [string, Wrong][] = [
    ["another origin", { origin: "https://id.example.evil.example" }],
    ["the origin without TLS", { origin: "http://id.example" }],
    ["another relying party", { rpId: "evil.example" }],
    ["a parent of ours", { rpId: "example" }],
    ["nobody present", { userPresent: false }],
    ["nobody verified", { userVerified: false }],
    ["a challenge of its own", { challenge: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }],
    ["the other ceremony", { type: "webauthn.create" }],
    ["another's handle", { userHandle: Buffer.from("acc_00000000000000000000000000").toString("base64url") }],
    ["another's signature", { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey }],
  ];
  test.each(uses)("A15 with %s is refused", async (_what, wrong) => {
    await expect(use(await newPasskey(), { wrong })).rejects.toMatchObject(refused);
  });

  const makings: [string, Wrong][] = [
    ["another origin", { origin: "https://evil.example" }],
    ["another relying party", { rpId: "evil.example" }],
    ["nobody verified", { userVerified: false }],
    ["a challenge of its own", { challenge: "AAAA" }],
    ["the other ceremony", { type: "webauthn.get" }],
  ];
  test.each(makings)("A15 made with %s is not taken", async (_what, wrong) => {
    await expect(enrol(new SoftwarePasskey({ origin: issuer }), { wrong })).rejects.toMatchObject(refused);
  });

  test("A15 without user verification it is a second factor, and never a whole sign-in", async () => {
    const passkey = await newPasskey();
    const given = { wrong: { userVerified: false }, account: account.id, verification: "preferred" } as const;
    expect((await use(passkey, given)).proof.userVerified).toBe(false);
    await expect(use(passkey, { wrong: { userVerified: false } })).rejects.toMatchObject(refused);
  });

  test("A15 a challenge is good once, in its conversation, for five minutes", async () => {
    const passkey = await newPasskey();
    const { passkeys } = people.factors;
    const asked = { verification: "required" } as const;
    const { options, ticket } = await passkeys.beginUse(place(), asked);
    const given = { ...asked, ticket, response: passkey.get(options) };
    await expect(passkeys.use(place("elsewhere"), given)).rejects.toThrow(Problem);
    await expect(
      passkeys.use({ ...place(), now: (clock.now() + 6 * minuteMs) as never }, given),
    ).rejects.toThrow(Problem);
    const uses = await Promise.allSettled(Array.from({ length: 8 }, () => passkeys.use(place(), given)));
    expect(uses.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(passkeys.use(place(), { ...given, response: passkey.get(options) })).rejects.toThrow(
      Problem,
    );
  });

  test("A15 a challenge for enrolment opens no sign-in, and one person's no other's account", async () => {
    const { passkeys } = people.factors;
    const passkey = await newPasskey();
    const { ticket, options } = await passkeys.beginEnrolment(place(), account);
    const wrong = { type: "webauthn.get" };
    await expect(
      passkeys.use(place(), { verification: "required", ticket, response: passkey.get(options, wrong) }),
    ).rejects.toThrow(Problem);
    const other = await newAccount();
    const fresh = new SoftwarePasskey({ origin: issuer });
    const given = { ticket, response: fresh.create(options), name: "x", account: other.id };
    await expect(passkeys.checkEnrolment(place(), given)).rejects.toMatchObject(refused);
  });

  test("A15 one of another account is refused in a conversation of mine, and nobody has it twice", async () => {
    const passkey = await newPasskey();
    const other = await newAccount();
    await expect(use(passkey, { account: other.id })).rejects.toMatchObject(refused);
    await expect(enrol(passkey, { to: other })).rejects.toMatchObject(refused);
  });

  test("A15 a counter that does not rise is a copy: refused, noted, and its owner is told; of two at once one passes", async () => {
    const passkey = await newPasskey();
    await use(passkey, { wrong: { signCount: 7 } });
    for (const signCount of [7, 6, 0])
      await expect(use(passkey, { wrong: { signCount } })).rejects.toMatchObject(refused);
    const events = await database.asAdmin(
      "select type from outbox where type = 'security.passkey_copied' and subject = $1",
      [account.id],
    );
    expect(events).toHaveLength(3);
    const both = await Promise.allSettled([1, 2].map(() => use(passkey, { wrong: { signCount: 9 } })));
    expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("one that counts nothing is taken again and again", async () => {
    const passkey = await newPasskey();
    for (let i = 0; i < 3; i++) await use(passkey, { wrong: { signCount: 0 } });
  });

  test("is renamed and removed by its owner alone, and the last way in stays", async () => {
    const { passkeys } = people.factors;
    await newPasskey();
    const [found] = await passkeys.of(account.id);
    const key = found?.key ?? "";
    const other = await newAccount();
    const renaming = (whose: Account, name: string) =>
      db.of(whose.home).transaction((tx) => passkeys.rename(tx, whose, { key, name, now: clock.now() }));
    await expect(renaming(other, "Mine")).rejects.toMatchObject({ code: "not_found" });
    const removing = (whose: Account) =>
      db.of(whose.home).transaction((tx) => passkeys.remove(tx, whose, { key, now: clock.now() }));
    await expect(removing(other)).rejects.toMatchObject({ code: "not_found" });
    await renaming(account, "Phone");
    expect((await passkeys.of(account.id))[0]?.name).toBe("Phone");
    await database.asAdmin("update accounts set password_digest = null where id = $1", [account.id]);
    await expect(removing(account)).rejects.toMatchObject({ code: "invalid_request" });
    await newPasskey();
    const keys = (await passkeys.of(account.id)).map((one) => one.key);
    const both = await Promise.allSettled(
      keys.map((one) =>
        db.of(account.home).transaction((tx) => passkeys.remove(tx, account, { key: one, now: clock.now() })),
      ),
    );
    expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await passkeys.of(account.id)).toHaveLength(1);
  });
});

describe("A16 a step-up", () => {
  const question = (id: string, aal: 1 | 2 | 3 = 2) => ({
    action: "mandate.approve",
    what: { mandate_request: id, amount_minor: 500 },
    aal,
  });
  const asking = (session = "session") => ({ account, session, now: clock.now() });
  const ip = "203.0.113.7";
  const addApp = async (): Promise<() => string> => {
    const { codes } = people.factors;
    const offer = codes.offerApp(place(), account);
    const secret = decodeBase32(offer.secret);
    const code = codeAt(secret, stepAt(clock.now()));
    const app = codes.checkApp(place(), { ticket: offer.ticket, code, account: account.id });
    if (app === undefined) throw new Error("the app was not taken");
    await db.of(account.home).transaction((tx) => codes.addApp(tx, app, { account, now: clock.now() }));
    return () => {
      clock.advance(30 * secondMs);
      return codeAt(secret, stepAt(clock.now()));
    };
  };
  type Question = ReturnType<typeof question>;
  const consume = async (of: Question, id: string, answer: object) => {
    const checked = await people.stepUps.check(asking(), of, { id, answer, ip });
    return db.of(account.home).transaction((tx) => people.stepUps.consume(tx, checked, clock.now()));
  };

  test("A16 its challenge is the digest of exactly what is confirmed, and the evidence is kept", async () => {
    const passkey = await newPasskey();
    const asked = await people.stepUps.ask(asking(), question("a"));
    expect(asked).toMatchObject({ code: false, password: false });
    const challenge = sha256b64url(
      `{"action":"mandate.approve","step_up":"${asked.id}","what":{"amount_minor":500,"mandate_request":"a"}}`,
    );
    expect(JSON.parse(asked.passkey ?? "{}")).toMatchObject({ challenge, userVerification: "required" });
    const evidence = await consume(question("a"), asked.id, { response: passkey.get(asked.passkey ?? "") });
    expect(evidence).toEqual({ stepUp: asked.id, method: "passkey", aal: 2, challenge });
    const rows = await database.asAdmin("select method, aal from step_up_answers where step_up_id = $1", [
      asked.id,
    ]);
    expect(rows).toEqual([{ method: "passkey", aal: 2 }]);
  });

  test("A16 a wrong factor does not burn it, another session or person cannot use it", async () => {
    const code = await addApp();
    const asked = await people.stepUps.ask(asking(), question("b"));
    const stepUpRefused = { code: "step_up_refused" };
    for (const answer of [
      { code: "000000" },
      {},
      { password: "four words make a phrase" },
      { code: "1", password: "2" },
    ])
      await expect(consume(question("b"), asked.id, answer)).rejects.toMatchObject(stepUpRefused);
    await expect(
      people.stepUps.check(asking("another"), question("b"), { id: asked.id, answer: { code: code() }, ip }),
    ).rejects.toMatchObject(stepUpRefused);
    const other = { ...asking(), account: await newAccount() };
    await expect(
      people.stepUps.check(other, question("b"), { id: asked.id, answer: { code: "1" }, ip }),
    ).rejects.toMatchObject(stepUpRefused);
    expect(await consume(question("b"), asked.id, { code: code() })).toMatchObject({
      method: "code",
      aal: 2,
    });
    await expect(consume(question("b"), asked.id, { code: code() })).rejects.toMatchObject(stepUpRefused);
  });

  test("A16 of eight answers at once one counts, and the same thing asked in two windows is confirmed once", async () => {
    const code = await addApp();
    const [first, second] = [
      await people.stepUps.ask(asking("one"), question("c")),
      await people.stepUps.ask(asking("two"), question("c")),
    ];
    const one = await people.stepUps.check(asking("one"), question("c"), {
      id: first.id,
      answer: { code: code() },
      ip,
    });
    const two = await people.stepUps.check(asking("two"), question("c"), {
      id: second.id,
      answer: { code: code() },
      ip,
    });
    const all = await Promise.allSettled(
      [one, one, one, one, two, two, two, two].map((checked) =>
        db.of(account.home).transaction((tx) => people.stepUps.consume(tx, checked, clock.now())),
      ),
    );
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("A16 it ends after five minutes, and a level that was not reached is refused", async () => {
    const passkey = await newPasskey();
    const old = await people.stepUps.ask(asking(), question("d"));
    clock.advance(5 * minuteMs);
    await expect(
      consume(question("d"), old.id, { response: passkey.get(old.passkey ?? "") }),
    ).rejects.toMatchObject({
      code: "step_up_refused",
    });
    const three = await people.stepUps.ask(asking(), question("e", 3));
    expect(three.passkey).toBeUndefined();
    const key = await newPasskey({ deviceBound: true });
    const again = await people.stepUps.ask(asking(), question("f", 3));
    await expect(
      consume(question("f", 3), again.id, { response: passkey.get(again.passkey ?? "") }),
    ).rejects.toMatchObject({
      code: "step_up_refused",
    });
    expect(
      await consume(question("f", 3), again.id, { response: key.get(again.passkey ?? "") }),
    ).toMatchObject({ aal: 3 });
  });

  test("A16 an assertion for one thing confirms no other, and for one asking no other of the same", async () => {
    const passkey = await newPasskey();
    const [cheap, dear, again] = [
      await people.stepUps.ask(asking(), question("g")),
      await people.stepUps.ask(asking(), question("h")),
      await people.stepUps.ask(asking(), question("g")),
    ];
    const response = passkey.get(cheap.passkey ?? "");
    await expect(consume(question("h"), dear.id, { response })).rejects.toMatchObject(refused);
    await expect(consume(question("g"), again.id, { response })).rejects.toMatchObject(refused);
    await consume(question("g"), cheap.id, { response });
  });

  test("A16 its proof confirms nothing but what was asked, however good the factor", async () => {
    const code = await addApp();
    const asked = await people.stepUps.ask(asking(), question("i"));
    const others = [
      question("j"),
      question("i", 3),
      { ...question("i"), action: "mandate.raise" },
      { ...question("i"), what: { mandate_request: "i", amount_minor: 50_000 } },
    ];
    for (const other of others)
      await expect(consume(other, asked.id, { code: code() })).rejects.toMatchObject({
        code: "step_up_refused",
      });
    expect(await consume(question("i"), asked.id, { code: code() })).toMatchObject({ method: "code" });
  });

  test("A16 what is confirmed stands nowhere in clear, and the sealed evidence is of the very text that was signed", async () => {
    const code = await addApp();
    const asked = await people.stepUps.ask(asking(), question("what-nobody-else-reads"));
    const evidence = await consume(question("what-nobody-else-reads"), asked.id, { code: code() });
    const rows = await database.asAdmin(
      `select (select to_jsonb(s)::text from step_ups s where id = $1) as asked,
        (select to_jsonb(a)::text from step_up_answers a where step_up_id = $1) as kept,
        (select sealed from step_up_answers where step_up_id = $1) as sealed`,
      [asked.id],
    );
    const { asked: open, kept, sealed } = Object(rows[0]);
    expect(open).toContain(asked.id);
    for (const text of [open, kept, Buffer.from(sealed).toString("latin1")])
      expect(text).not.toContain("what-nobody-else-reads");
    const aad = `step_up_answers.sealed:${asked.id}`;
    const plaintext = await db
      .of(account.home)
      .transaction((tx) => keyring.open(tx, `account:${account.id}`, { sealed, aad }));
    const signed = JSON.parse(Buffer.from(plaintext ?? []).toString("utf8")).asked;
    expect(signed).toContain("what-nobody-else-reads");
    expect(sha256b64url(signed)).toBe(evidence.challenge);
  });
});
