import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startProcess, type TestProcess } from "@remit/testkit";
import { type As, merchantOf } from "./api.ts";
import type { Given } from "./charger.ts";
import type { World } from "./world.ts";

export type Answer = { readonly status: number; readonly body: Record<string, unknown> };

/** A process of its own that decides about the money of a world. */
export type Charger = {
  readonly origin: string;
  readonly process: TestProcess;
  /** Killed and started again, at another address. */
  restart(failpoint?: string): Promise<Charger>;
};

const main = fileURLToPath(new URL("./charger.ts", import.meta.url));

export async function startCharger(world: World, leaseMs = 10_000): Promise<Charger> {
  const { database, billing, directoryOrigin, keys, kek } = world;
  const given: Given = {
    url: database.url,
    schema: database.schema,
    relayRole: database.roles.relay,
    keys: keys.all,
    kek: kek.toString("base64url"),
    billing: billing.origin,
    directory: directoryOrigin,
    leaseMs,
  };
  const env = { CHARGER: JSON.stringify(given), NODE_ENV: "test" };
  const of = (process: TestProcess): Charger => ({
    process,
    origin: /listens at (\S+)/.exec(process.output())?.[1] ?? "",
    restart: async (failpoint = "") => of(await process.restart({ ...env, REMIT_FAILPOINT: failpoint })),
  });
  return of(await startProcess({ main, env, readyWhen: /listens at/ }));
}

/** What says that the outcome is open: the same request again tells it. */
const open: ReadonlySet<unknown> = new Set(["charge_in_progress", "idempotency_in_flight", "unavailable"]);
const sendsMax = 200;
const againMs = 50;

type Call = {
  readonly at: () => Charger;
  readonly as: As;
  readonly path: string;
  readonly body?: object;
  readonly key: string;
};

/** One request, sent again under its key while its outcome is open or its process is away. */
export async function call({ at, as, path, body = {}, key }: Call): Promise<Answer> {
  let last: unknown;
  for (let sends = 0; sends < sendsMax; sends++) {
    const answer = await sendOnce({ at, as, path, body, key }).catch((error: unknown) => {
      last = error;
    });
    if (answer !== undefined && !open.has(answer.body["code"])) return answer;
    last = answer ?? last;
    await pause(againMs);
  }
  throw new Error(`${path} has no outcome: ${JSON.stringify(last)}`);
}

async function sendOnce({ at, as, path, body, key }: Call): Promise<Answer> {
  const response = await fetch(at().origin + path, {
    method: "POST",
    headers: {
      authorization: JSON.stringify(as),
      "content-type": "application/json",
      "idempotency-key": key,
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: Object(await response.json()) };
}

/** What a merchant asks of a charge, or for one. */
export const asMerchantCall = (world: World, at: () => Charger) => ({ at, as: merchantOf(world) });
