import { isDeepStrictEqual } from "node:util";
import { generateJwk } from "@remit/protocol/node";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callAsAdmin, newClient, OAuthClient } from "./client.ts";
import { adminSecret, freePort, newKeys, type Running, startServer, startWith } from "./running.ts";
import { type Cast, exchange, make, type Received, type Recipe, recipes, singles } from "./token-recipes.ts";

// One installation at two addresses: one answers plain requests in front of the core, the other leaves all to the core.
let running: Running;
let metricsPort: number;
let core: { origin: string; close: () => Promise<void> };
let cast: Cast;

beforeAll(async () => {
  metricsPort = await freePort();
  running = await startServer({ metricsPort });
  const { issuer, dataDir } = running;
  const second = await startWith(running.database, { issuer, dataDir }, { issuance: false });
  core = { origin: second.issuer, close: second.close };
  const eddsa = { assertion: generateJwk("EdDSA"), dpop: generateJwk("EdDSA") };
  const known = [
    await newClient(running, "agent"),
    await newClient(running, "agent", eddsa),
    await newClient(running, "merchant"),
  ];
  const suspended = await newClient(running, "agent");
  await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${suspended.id}/suspend` });
  const strangers = [
    new OAuthClient(running, "agt_00000000000000000000000000", newKeys()),
    new OAuthClient(running, "wallet", running.wallet),
  ];
  cast = {
    issuer,
    directory: running.directory,
    agents: [...known, suspended, ...strangers],
    admin: { id: running.adminId, secret: adminSecret },
    nonce: "",
  };
});
afterAll(async () => {
  await core?.close();
  await running?.close();
});

const plain: Recipe = {
  who: 0,
  way: "assertion",
  assertion: "usual",
  proof: "usual",
  scope: "",
  resource: "ISSUER",
  form: "usual",
  head: "usual",
};

/** The nonce of now: both servers have the same. */
async function learnNonce(): Promise<void> {
  const { headers } = await exchange(core.origin, make({ ...plain, proof: "without a nonce" }, cast));
  cast = { ...cast, nonce: String(headers["dpop-nonce"]) };
}

const compared = [
  "content-type",
  "cache-control",
  "www-authenticate",
  "vary",
  "allow",
  "retry-after",
  "access-control-allow-origin",
  "access-control-expose-headers",
];

/** What must be the same: all but ids, times and signatures. */
function essence({ status, headers, text }: Received): object {
  const same = Object.fromEntries(compared.map((name) => [name, headers[name]]));
  return { status, ...same, nonce: "dpop-nonce" in headers, body: bodyOf(text) };
}

function bodyOf(text: string): unknown {
  if (!text.startsWith("{")) return text;
  // A problem names a page of the server that answered.
  const { access_token: token, id_token: idToken, request_id: _, type: __, ...body } = JSON.parse(text);
  if (token === undefined) return body;
  return { ...body, token: contentOf(token), ...(idToken === undefined ? {} : { id: contentOf(idToken) }) };
}

function contentOf(token: unknown): object {
  const part = (index: number): Record<string, unknown> =>
    JSON.parse(Buffer.from(String(token).split(".")[index] ?? "", "base64url").toString("utf8"));
  const { jti: _, at_hash: hash, iat, exp, ...claims } = part(1);
  return { header: part(0), claims, lifeS: Number(exp) - Number(iat), hashed: typeof hash };
}

/** Sends a recipe's request once or twice (a replay) to one of the servers. */
async function play(origin: string, recipe: Recipe, times: number): Promise<object[]> {
  const sent = make(recipe, cast);
  const received: object[] = [];
  for (let i = 0; i < times; i++) received.push(essence(await exchange(origin, sent)));
  return received;
}

async function compare(recipe: Recipe, times: number): Promise<void> {
  const both = async (): Promise<[object[], object[]]> => [
    await play(running.issuer, recipe, times),
    await play(core.origin, recipe, times),
  ];
  let [ours, theirs] = await both();
  // A second, or a step of the nonces, may have ended between the two.
  if (!isDeepStrictEqual(ours, theirs)) [ours, theirs] = await both();
  expect(ours, JSON.stringify(recipe)).toEqual(theirs);
}

async function answeredInFront(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/token_requests_total\{by="issuance"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

const runs = Number(process.env["TOKEN_DIFFERENTIAL_RUNS"] ?? 100);

test(`A03 A08 V04 V05 ${runs} requests of every kind are answered as the core answers them`, async () => {
  let played = 0;
  await fc.assert(
    fc.asyncProperty(recipes, fc.constantFrom(1, 1, 2), async (recipe, times) => {
      if (played++ % 50 === 0) await learnNonce();
      await compare(recipe, times);
    }),
    { numRuns: runs, endOnFailure: true },
  );
  // Else this would compare the core with itself.
  expect(await answeredInFront()).toBeGreaterThan(runs / 10);
});

test("A03 A08 V04 V05 each thing that can be about a request, alone, is answered as the core answers it", async () => {
  await learnNonce();
  for (const recipe of singles()) await compare(recipe, 1);
});
