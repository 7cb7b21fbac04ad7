import { newId, systemClock } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../tables.ts";
import type { MerchantOwner } from "./chart.ts";
import { check } from "./check.ts";
import type { Entry } from "./entries.ts";
import { post } from "./ledger.ts";

let database: TestDatabase;
let db: Database;
const owner = (): MerchantOwner => ({ tenant: newId("tenant"), merchant: newId("merchant") });
const merchants = Array.from({ length: 5 }, owner);

beforeAll(async () => {
  database = await testDatabase({ service: "billing", sources: migrations });
  db = database.open({ poolMax: 16 });
  for (let n = 0; n < 20; n++) await write(moved(n));
});
afterAll(() => database.drop());

const write = (...entries: Entry[]) => db.global.transaction((tx) => post(tx, entries));
const ownerOf = (n: number): MerchantOwner => merchants[n % merchants.length] ?? owner();
/** From one merchant to the next, in one asset or the other. */
const moved = (n: number): Entry => ({
  id: newId("entry"),
  kind: "capture",
  object: newId("payment"),
  transition: "moved",
  ordinal: 1,
  charge: null,
  reverses: null,
  at: systemClock.now(),
  legs: [
    { code: "merchant_payable", owner: ownerOf(n), asset: n % 2 === 0 ? "USD" : "EUR", units: -7n },
    { code: "merchant_payable", owner: ownerOf(n + 1), asset: n % 2 === 0 ? "USD" : "EUR", units: 7n },
  ],
});
/** As somebody with the database in hand does it: past every trigger. */
const tamper = (text: string): Promise<unknown> =>
  database.asAdmin(
    `alter table ledger_postings disable trigger append_only; ${text}; alter table ledger_postings enable always trigger append_only`,
  );

describe("R06 the books are read in portions", () => {
  test.each([1, 2, 3, 7, 19, 20, 21, 10_000])("of %i each, with one answer", async (most) => {
    expect(await check(db, most)).toEqual({
      balanced: true,
      assets: [
        { asset: "EUR", imbalance: 0n },
        { asset: "USD", imbalance: 0n },
      ],
      accounts: 10,
      entries: 20,
    });
  });

  test("and a balance that is wrong is found in whichever portion it stands, as is a count, and a posting", async () => {
    const accounts = await database.asAdmin<{ id: string }>("select id from ledger_accounts");
    for (const { id } of accounts)
      for (const column of ["balance", "postings"]) {
        await tamper(`update ledger_accounts set ${column} = ${column} + 1 where id = '${id}'`);
        expect((await check(db, 3)).balanced, `${column} of ${id}`).toBe(false);
        await tamper(`update ledger_accounts set ${column} = ${column} - 1 where id = '${id}'`);
      }
    const entries = await database.asAdmin<{ id: string }>("select id from ledger_entries");
    for (const { id } of entries) {
      // Both sides of it: every sum is right, and what the accounts say is another.
      await tamper(`update ledger_postings set units = units * 2 where entry_id = '${id}'`);
      expect((await check(db, 3)).balanced, `postings of ${id}`).toBe(false);
      await tamper(`update ledger_postings set units = units / 2 where entry_id = '${id}'`);
    }
    // An entry that does not balance though balances were made to agree with it.
    const [entry] = entries;
    const wrong = `(select account_id from ledger_postings where entry_id = '${entry?.id}' limit 1)`;
    for (const by of ["+ 1", "- 1"]) {
      await tamper(`update ledger_postings set units = units ${by} where entry_id = '${entry?.id}' and account_id = ${wrong};
        update ledger_accounts set balance = balance ${by} where id = ${wrong}`);
      expect((await check(db, 3)).balanced).toBe(by === "- 1");
    }
  });

  test("and two errors that make up for each other are two", async () => {
    const [one, other] = await database.asAdmin<{ id: string }>(
      "select id from ledger_accounts where asset = 'USD' limit 2",
    );
    await tamper(`update ledger_accounts set balance = balance + 1 where id = '${one?.id}';
      update ledger_accounts set balance = balance - 1 where id = '${other?.id}'`);
    expect(await check(db, 2)).toMatchObject({
      balanced: false,
      assets: [{ imbalance: 0n }, { imbalance: 0n }],
    });
    await tamper(`update ledger_accounts set balance = balance - 1 where id = '${one?.id}';
      update ledger_accounts set balance = balance + 1 where id = '${other?.id}'`);
    expect((await check(db, 2)).balanced).toBe(true);
  });

  test("and what is posted meanwhile is no false alarm", async () => {
    const posters = { stop: false };
    let posted = 0;
    const poster = async (): Promise<void> => {
      while (!posters.stop) await write(moved(posted++), moved(posted++));
    };
    const running = Array.from({ length: 4 }, poster);
    const before = posted;
    for (let round = 0; round < 6; round++) expect((await check(db, 20)).balanced).toBe(true);
    expect(posted).toBeGreaterThan(before);
    posters.stop = true;
    await Promise.all(running);
    expect(await check(db, 4)).toMatchObject({ balanced: true, entries: 20 + posted });
  });
});
