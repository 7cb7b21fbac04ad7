import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startProcess, type TestProcess } from "@remit/testkit";
import type { As } from "./api.ts";
import type { Given } from "./charger.ts";
import type { Deed, Fate } from "./mortal.ts";
import type { World } from "./world.ts";

export type Asked = { readonly as: As; readonly path: string; readonly body?: object; readonly key: string };

/** A process that will die. Its answers are nobody's business: what it has done is read from the database. */
export type Mortal = {
  /** One request of its API. Never resolves to anything; rejects once the process has died over it. */
  readonly ask: (asked: Asked) => Promise<void>;
  readonly carryOut: (deed: Deed) => Promise<void>;
};

export type Mortals = {
  /** Lets one do something until its step has come. True when it did all of it and lives. */
  survives(dieAt: number, work: (mortal: Mortal) => Promise<void>): Promise<boolean>;
  close(): Promise<void>;
};

const main = fileURLToPath(new URL("./mortal.ts", import.meta.url));

export function startMortals(world: World): Mortals {
  const { database, billing, directoryOrigin, keys, kek } = world;
  const given: Given = {
    url: database.url,
    schema: database.schema,
    relayRole: database.roles.relay,
    keys: keys.all,
    kek: kek.toString("base64url"),
    billing: billing.origin,
    directory: directoryOrigin,
    leaseMs: 1,
  };
  const env = {
    CHARGER: JSON.stringify(given),
    NODE_ENV: "test",
    NODE_COMPILE_CACHE: path.join(tmpdir(), "remit-compile-cache"),
  };
  const born = (): Promise<TestProcess> => startProcess({ main, env, readyWhen: /listens at/ });
  // The next one starts while this one works.
  let next = born();
  return {
    survives: async (dieAt, work) => {
      const process = await next;
      next = born();
      const [, api = "", deeds = ""] = /listens at (\S+) and (\S+)/.exec(process.output()) ?? [];
      const fate: Fate = { now: world.clock.now(), dieAt };
      await post(`${deeds}/fate`, {}, fate);
      const done = await work(mortalAt({ api, deeds })).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Broken) throw error;
          return false;
        },
      );
      if (!done) expectKilled(await process.exited);
      await process.kill();
      return done;
    },
    close: async () => {
      await (await next).kill();
    },
  };
}

/** It lives, and says that something in it is wrong. */
class Broken extends Error {
  override readonly name = "Broken";
}

function expectKilled({ signal }: { readonly signal: string | null }): void {
  if (signal !== "SIGKILL") throw new Error(`the process ended by ${String(signal)}`);
}

const mortalAt = ({ api, deeds }: { readonly api: string; readonly deeds: string }): Mortal => ({
  ask: async ({ as, path, body = {}, key }) => {
    await post(api + path, { authorization: JSON.stringify(as), "idempotency-key": key }, body);
  },
  carryOut: async (deed) => {
    await post(`${deeds}/deed`, {}, deed);
  },
});

/** Rejects when nobody is there to answer, and when the answer says that something is broken. */
async function post(url: string, headers: Record<string, string>, body: object): Promise<void> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (answer.status >= 500) throw new Broken(text);
}
