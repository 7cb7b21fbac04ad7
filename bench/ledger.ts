import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Id, invariant, newId, systemClock } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { migrate, openDatabase, platformMigrations, provision, rolePasswords } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { post } from "../services/billing/src/ledger/index.ts";
import { migrations } from "../services/billing/src/tables.ts";
import { measure, round } from "./measure.ts";

const inFlight = 16;
const merchants = 200;

/** Postings between random accounts: through our own `post()`, and the same SQL function called by pgbench. */
export async function benchLedger(seconds: number) {
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-ledger-"));
  const cluster = await startPostgres({
    dataDir: path.join(directory, "postgres"),
    log: createLog({ service: "bench", level: "error" }),
  });
  try {
    const database = await provision({
      adminUrl: cluster.url,
      service: "billing",
      passwords: rolePasswords(path.join(directory, "roles.json")),
      kekFingerprint: "bench",
    });
    const { schema, roles, ownerRole } = database;
    await migrate({
      url: database.migrationUrl,
      ownerRole,
      schema,
      roles,
      sources: [platformMigrations, ...migrations],
    });
    const db = openDatabase({ url: database.url, schema, relayRole: roles.relay, poolMax: inFlight });
    const owners = Array.from({ length: merchants }, () => ({
      tenant: newId("tenant"),
      merchant: newId("merchant"),
    }));
    const ours = await measure(() => db.global.transaction((tx) => post(tx, [between(owners)])), {
      seconds,
      inFlight,
    });
    const hot = await measure(() => db.global.transaction((tx) => post(tx, [withFee(owners)])), {
      seconds,
      inFlight,
    });
    await db.close();
    const theirs = await pgbench({ url: database.url, schema, directory, seconds });
    return {
      remit: ours,
      /** Captures, which all touch the accounts of fees and of clearing. */
      hot,
      pgbench: theirs ?? "not measured: pgbench is not installed",
      ...(theirs === undefined
        ? {}
        : {
            ratio_to_pgbench: round(ours.rate / theirs.rate),
            hot_ratio_to_pgbench: round(hot.rate / theirs.rate),
          }),
    };
  } finally {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

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

async function pgbench(on: {
  url: string;
  schema: string;
  directory: string;
  seconds: number;
}): Promise<{ rate: number } | undefined> {
  const script = path.join(on.directory, "post.sql");
  // chr(58) is a colon: pgbench takes one inside quotes for a variable of its own.
  const leg = (owner: string, units: number): string =>
    `jsonb_build_object('tenant', 'org_' || (${owner})::text, 'account', 'merchant_payable' || chr(58) || 'mrc_' || (${owner})::text || chr(58) || 'USD', 'code', 'merchant_payable', 'merchant', 'mrc_' || (${owner})::text, 'asset', 'USD', 'side', 'either', 'units', ${units})`;
  await writeFile(
    script,
    [
      `\\set a random(1, ${merchants / 2})`,
      `\\set b random(${merchants / 2 + 1}, ${merchants})`,
      "begin;",
      `select ${on.schema}.ledger_post(jsonb_build_array(jsonb_build_object('id', gen_random_uuid(), 'kind', 'capture', 'object', gen_random_uuid(), 'transition', 'moved', 'ordinal', 1, 'charge', null, 'reverses', null, 'at', now(), 'legs', jsonb_build_array(${leg(":a::int", -100)}, ${leg(":b::int", 100)}))));`,
      "commit;",
    ].join("\n"),
  );
  const url = new URL(on.url);
  try {
    const said = execFileSync(
      "pgbench",
      [
        "-n",
        "-M",
        "prepared",
        "-c",
        String(inFlight),
        "-j",
        "1",
        "-T",
        String(on.seconds),
        "-f",
        script,
        "-h",
        url.hostname,
        "-p",
        url.port,
        "-U",
        url.username,
        url.pathname.slice(1),
      ],
      {
        env: {
          ...process.env,
          PGPASSWORD: decodeURIComponent(url.password),
          PGOPTIONS: `-c search_path=${on.schema}`,
        },
        stdio: ["ignore", "pipe", "inherit"],
      },
    ).toString();
    return { rate: round(Number(/tps = ([\d.]+)/.exec(said)?.[1] ?? Number.NaN), 1) };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
