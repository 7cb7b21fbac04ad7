import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type Id, invariant, newId, systemClock } from "@remit/kernel";
import { type Database, sql } from "@remit/platform/sql";
import { post } from "../services/billing/src/ledger/index.ts";
import { type BillingDatabase, inBillingDatabase } from "./billing-database.ts";
import { measure, round } from "./measure.ts";

const inFlight = 16;
const merchants = 200;
/** In as many rows as ours stands an account of the floor that everybody touches. */
const hotRows = 16;
const rounds = 5;

/**
 * Postings between random accounts, and captures, which all touch the accounts of fees and of clearing: through our own
 * `post()`; through its SQL function alone, called by pgbench; and through a function written by hand for this alone (`floor`):
 * balanced, deadlock-free, each posting with the balance that it left, and no organizations, months, JSON or second look.
 */
export const benchLedger = (seconds: number) =>
  inBillingDatabase(inFlight, async (on) => {
    const { db, admin } = on;
    const owners = Array.from({ length: merchants }, () => ({
      tenant: newId("tenant"),
      merchant: newId("merchant"),
    }));
    await layFloor(admin);
    const posting = (entry: typeof between) => async () =>
      (
        await measure(() => db.global.transaction((tx) => post(tx, [entry(owners)])), {
          seconds: each,
          inFlight,
        })
      ).rate;
    const bench = (script: string) => () => pgbench(on, { seconds: each, script });
    const each = Math.max(1, Math.round(seconds / 2));
    const sides = {
      remit: posting(between),
      floor: bench(floorBetween),
      hot: posting(withFee),
      hot_floor: bench(floorWithFee),
      function_alone: bench(scriptOfOurs(on.schema)),
    };
    // In turns, so that all meet the same machine.
    const rates = new Map<string, number[]>();
    for (let turn = 0; turn < rounds; turn++)
      for (const [name, run] of Object.entries(sides))
        rates.set(name, [...(rates.get(name) ?? []), (await run()) ?? Number.NaN]);
    const rate = (name: keyof typeof sides): number => {
      const all = rates.get(name) ?? [];
      return round(all.sort((a, b) => a - b)[all.length >> 1] ?? Number.NaN, 1);
    };
    if (Number.isNaN(rate("floor")))
      return { remit: rate("remit"), hot: rate("hot"), floor: "not measured: pgbench is not installed" };
    return {
      ...Object.fromEntries([...rates.keys()].map((name) => [name, rate(name as keyof typeof sides)])), // only these were set
      ratio_to_floor: round(rate("remit") / rate("floor")),
      hot_ratio_to_floor: round(rate("hot") / rate("hot_floor")),
    };
  });

type Owner = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };
let turn = 0;

function between(owners: readonly Owner[]): Parameters<typeof post>[1][number] {
  turn += 1;
  const from = owners[turn % merchants];
  const to = owners[(turn * 7 + 1) % merchants];
  invariant(from !== undefined && to !== undefined, "there is an owner at each place");
  return {
    id: newId("entry"),
    kind: "capture",
    object: newId("payment"),
    transition: "moved",
    ordinal: 1,
    charge: null,
    reverses: null,
    at: systemClock.now(),
    legs: [
      { code: "merchant_payable", owner: from, asset: "USD", units: -100n },
      from === to
        ? { code: "platform_fees", asset: "USD", units: 100n }
        : { code: "merchant_payable", owner: to, asset: "USD", units: 100n },
    ],
  };
}

/** One capture: four accounts, three of them everybody's. */
function withFee(owners: readonly Owner[]): Parameters<typeof post>[1][number] {
  const entry = between(owners);
  const owner = owners[turn % merchants];
  invariant(owner !== undefined, "there is an owner at each place");
  return {
    ...entry,
    legs: [
      { code: "card_clearing", asset: "USD", units: 1000n },
      { code: "merchant_payable", owner, asset: "USD", units: -941n },
      { code: "platform_fees", asset: "USD", units: -59n },
    ],
  };
}

const scriptOfOurs = (schema: string): string => {
  // chr(58) is a colon: pgbench takes one inside quotes for a variable of its own.
  const leg = (owner: string, units: number): string =>
    `jsonb_build_object('tenant', 'org_' || (${owner})::text, 'account', 'merchant_payable' || chr(58) || 'mrc_' || (${owner})::text || chr(58) || 'USD', 'code', 'merchant_payable', 'merchant', 'mrc_' || (${owner})::text, 'asset', 'USD', 'side', 'either', 'units', ${units})`;
  return [
    `\\set a random(1, ${merchants / 2})`,
    `\\set b random(${merchants / 2 + 1}, ${merchants})`,
    "begin;",
    `select ${schema}.ledger_post(jsonb_build_array(jsonb_build_object('id', gen_random_uuid(), 'kind', 'capture', 'object', gen_random_uuid(), 'transition', 'moved', 'ordinal', 1, 'charge', null, 'reverses', null, 'at', now(), 'legs', jsonb_build_array(${leg(":a::int", -100)}, ${leg(":b::int", 100)}))));`,
    "commit;",
  ].join("\n");
};

async function layFloor(admin: Database): Promise<void> {
  await admin.global.transaction(async (tx) => {
    await tx.run(
      sql`create table floor_accounts (id text collate "C" primary key, balance numeric(38, 0) not null)`,
    );
    await tx.run(sql`create table floor_entries (id text collate "C" primary key, kind text not null, object text not null collate "C",
      posted_at timestamptz not null, unique (object, kind))`);
    await tx.run(sql`create index floor_entries_posted on floor_entries (posted_at)`);
    await tx.run(sql`create table floor_postings (entry text not null collate "C" references floor_entries (id),
      account text not null collate "C" references floor_accounts (id), units numeric(38, 0) not null check (units <> 0),
      balance numeric(38, 0) not null, primary key (entry, account))`);
    await tx.run(sql`create index floor_postings_account on floor_postings (account, entry)`);
    await tx.run(sql`insert into floor_accounts (id, balance) select 'merchant' || n, 0 from generate_series(1, ${merchants}::integer) n
      union all select 'fees' || n, 0 from generate_series(1, ${hotRows}::integer) n
      union all select 'clearing' || n, 0 from generate_series(1, ${hotRows}::integer) n`);
    await tx.run(sql`create function floor_post(entry text, accounts text[], amounts numeric[]) returns void language plpgsql as $$
      begin
        if (select sum(u) from unnest(amounts) u) <> 0 then raise exception 'it does not balance'; end if;
        perform from floor_accounts a where a.id = any(accounts) order by a.id for update;
        insert into floor_entries values (entry, 'capture', entry, now());
        with changed as (
          update floor_accounts a set balance = a.balance + l.units from unnest(accounts, amounts) as l(account, units)
          where a.id = l.account returning a.id, l.units, a.balance)
        insert into floor_postings select floor_post.entry, id, units, balance from changed;
      end $$`);
    await tx.run(
      sql`grant select, insert, update on floor_accounts, floor_entries, floor_postings to public`,
    );
  });
}

const floorCall = (accounts: string, amounts: string): string =>
  `begin;\nselect floor_post(gen_random_uuid()::text, array[${accounts}], array[${amounts}]);\ncommit;`;
const floorBetween = [
  `\\set a random(1, ${merchants / 2})`,
  `\\set b random(${merchants / 2 + 1}, ${merchants})`,
  floorCall("'merchant' || (:a)::int, 'merchant' || (:b)::int", "-100, 100"),
].join("\n");
const floorWithFee = [
  `\\set a random(1, ${merchants})`,
  `\\set h random(1, ${hotRows})`,
  floorCall("'clearing' || (:h)::int, 'merchant' || (:a)::int, 'fees' || (:h)::int", "1000, -941, -59"),
].join("\n");

/** Transactions a second; undefined where pgbench is not installed. */
async function pgbench(
  on: Pick<BillingDatabase, "url" | "schema" | "directory">,
  { seconds, script }: { readonly seconds: number; readonly script: string },
): Promise<number | undefined> {
  const file = path.join(on.directory, "post.sql");
  await writeFile(file, script);
  const url = new URL(on.url);
  const where = ["-h", url.hostname, "-p", url.port, "-U", url.username, url.pathname.slice(1)];
  const how = ["-n", "-M", "prepared", "-c", String(inFlight), "-j", "1", "-T", String(seconds), "-f", file];
  try {
    const said = execFileSync("pgbench", [...how, ...where], {
      env: {
        ...process.env,
        PGPASSWORD: decodeURIComponent(url.password),
        PGOPTIONS: `-c search_path=${on.schema}`,
      },
      stdio: ["ignore", "pipe", "inherit"],
    }).toString();
    return round(Number(/tps = ([\d.]+)/.exec(said)?.[1] ?? Number.NaN), 1);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
