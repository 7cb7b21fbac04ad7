import { migrations } from "@remit/authorization-server";
import { instantOf, secondMs, systemClock } from "@remit/kernel";
import { kekFiles, openKeyring } from "@remit/platform/keys";
import { createLog } from "@remit/platform/telemetry";
import { type PublicJwk, parseJwks, parseJws } from "@remit/protocol";
import { holds } from "@remit/protocol/node";
import { accelerateTime, testDatabase } from "@remit/testkit";
import { expect, test } from "vitest";
import { createIssuerKeys } from "../src/keys/index.ts";
import { adminSecret, principal, startWith } from "./running.ts";

// The ordinary form is short; `.ci/suites/key-rotation` rotates for a minute.
const seconds = Number(process.env["REMIT_TEST_ROTATION_S"] ?? 4);
const clients = 4;
const timesFaster = 600;

/** A client that keeps a key set for as long as `max-age` says, and asks for another one only then. */
function jwksClient(url: string) {
  let kept: { keys: readonly PublicJwk[]; until: number } = { keys: [], until: 0 };
  let fetches = 0;
  return {
    fetches: () => fetches,
    async keys(): Promise<readonly PublicJwk[]> {
      const asked = systemClock.now();
      if (asked < kept.until) return kept.keys;
      fetches++;
      const answer = await fetch(url);
      const maxAgeS = Number(/max-age=(\d+)/.exec(answer.headers.get("cache-control") ?? "")?.[1]);
      kept = { keys: parseJwks(await answer.json()) ?? [], until: asked + maxAgeS * secondMs };
      return kept.keys;
    },
  };
}

test(
  "C17 K01 keys rotate every second under load, and every token verifies with the key set that its reader holds",
  async () => {
    const database = await testDatabase({ service: "authorization_server", sources: migrations });
    const restore = accelerateTime(timesFaster);
    const server = await startWith(database, {}, { checkClock: false });
    const { admin } = await server.service.bootstrap({
      tenant: { name: "Ada's" },
      principal,
      admin: { clientSecret: adminSecret },
    });
    // Another process of the same service rotates; the server hears of it as it would hear of any.
    const log = createLog({ service: "test", level: "silent" });
    const db = database.open({ record: async () => undefined });
    const keyring = await openKeyring({ db, source: kekFiles(server.dataDir), clock: systemClock, log });
    const other = createIssuerKeys({ db, kek: keyring.kek, clock: systemClock, log });
    await other.load();
    const seen = { tokens: 0, failures: 0, refused: 0, asked_again: 0, expired: 0 };
    const kids = new Set<string>();
    const client = jwksClient(`${server.issuer}/oauth/jwks.json`);
    const basic = `Basic ${Buffer.from(`${admin.clientId}:${adminSecret}`).toString("base64")}`;
    const form = { grant_type: "client_credentials", scope: "agents:read", resource: server.issuer };
    const stop = new AbortController();
    const ask = async (): Promise<void> => {
      const answer = await fetch(`${server.issuer}/oauth/token`, {
        method: "POST",
        headers: { authorization: basic },
        body: new URLSearchParams(form),
      });
      const { access_token: token } = Object(await answer.json());
      // A minute, for which a retired key signs on, is a tenth of a second here: who was late with the news says 503.
      if (answer.status === 503) return void seen.asked_again++;
      if (answer.status !== 200) return void seen.refused++;
      const parsed = parseJws(String(token), { typ: ["at+jwt"], algs: ["ES256"], refuse: "invalid_token" });
      const { exp } = parsed.payload;
      if (instantOf(Number(exp) * secondMs) <= systemClock.now()) return void seen.expired++;
      const key = (await client.keys()).find(({ kid }) => kid === parsed.header.kid);
      const { signature, signingInput: data } = parsed;
      const verifies =
        key !== undefined && holds({ alg: "ES256", key, data, signature, refuse: "invalid_token" });
      seen.tokens++;
      if (!verifies) seen.failures++;
      kids.add(String(parsed.header.kid));
    };
    const load = Array.from({ length: clients }, async () => {
      while (!stop.signal.aborted) await ask();
    });
    const rotations = new Set<string>();
    for (let second = 0; second < seconds; second++) {
      await other.reload();
      for (const purpose of ["access", "id"]) rotations.add((await other.rotate(purpose)).kid);
      await new Promise((passed) => void setTimeout(passed, secondMs));
    }
    stop.abort();
    await Promise.all(load);
    other.close();
    keyring.close();
    await server.close();
    restore();
    await database.drop();
    const figures = {
      ...seen,
      seconds,
      rotations: rotations.size,
      signed_by: kids.size,
      jwks_fetches: client.fetches(),
    };
    process.stdout.write(`key rotation: ${JSON.stringify(figures)}\n`);
    expect(figures).toMatchObject({ failures: 0, refused: 0 });
    expect(rotations.size).toBe(2 * seconds);
    expect(kids.size).toBeGreaterThanOrEqual(Math.min(3, seconds - 1));
    expect(seen.tokens).toBeGreaterThan(seconds);
  },
  (seconds + 60) * secondMs,
);
