import { invariant } from "@remit/kernel";
import { OAuthClient } from "../services/authorization-server/test/client.ts";
import { exchange, obtainCode } from "../services/authorization-server/test/consent.ts";
import { type Chain, type Prepared, prepare, send, sendChains } from "./http-load.ts";
import { round } from "./measure.ts";
import type { Issuer } from "./token-issuers.ts";
import { authenticated, type Figures, type Maker, nonceOf, warmUpRequests, withCpu } from "./tokens.ts";

const inFlight = 64;
const tokensMade = 1_000;
const warmUpRounds = 9;

/**
 * Introspection for an operator who proves itself by its secret: each token for the first time, as its signature must be
 * checked, and again and again, as whoever serves an API asks about each call. The database says each time whether it
 * still counts.
 */
export async function measureIntrospection(
  of: Issuer,
  { seconds, make }: { readonly seconds: number; readonly make: Maker },
): Promise<{ readonly first: Figures; readonly again: Figures }> {
  const tokens = await makeTokens(of, make);
  const url = new URL("/oauth/introspect", of.token);
  const pair = Buffer.from(`${of.secret.id}:${of.secret.secret}`).toString("base64");
  const ask = (token: string): Prepared =>
    prepare(url, { form: { token }, headers: { Authorization: `Basic ${pair}` } });
  const accept = (answer: string): boolean =>
    answer.startsWith("HTTP/1.1 200") && answer.includes('"active":true');
  const measured = (requests: readonly Prepared[]): Promise<Figures> =>
    withCpu(of, requests.length, () => send(url, requests, { inFlight, accept }));
  const once = tokens.map(ask);
  const first = await measured(once);
  for (let round = 0; round < warmUpRounds; round++) await send(url, once, { inFlight, accept });
  const { rate } = await send(url, once, { inFlight, accept });
  const again = Array.from(
    { length: Math.ceil(rate * seconds) },
    (_, index) => once[index % once.length] ?? once[0],
  );
  return { first, again: await measured(again.filter((request) => request !== undefined)) };
}

async function makeTokens(of: Issuer, make: Maker): Promise<string[]> {
  const nonce = await nonceOf(of);
  const tokens: string[] = [];
  const accept = (answer: string): boolean => {
    const token = /"access_token":"([^"]+)"/.exec(answer)?.[1];
    if (token !== undefined) tokens.push(token);
    return token !== undefined;
  };
  const requests = Array.from({ length: tokensMade }, () => make(nonce));
  await send(of.token, requests, { inFlight, accept });
  return tokens;
}

// As many as may sign in within a minute from one address, with some to spare.
const families = 24;

/** Families of refresh tokens, each used over and over: private_key_jwt, a proof with a nonce, a successor each time. */
export async function measureRefresh(of: Issuer, seconds: number): Promise<Figures> {
  const started: Family[] = [];
  for (let index = 0; index < families; index++) started.push(await openFamily(of, index));
  let left = warmUpRequests;
  await sendChains(of.token, await chainsOf(of, started, () => left-- > 0));
  const before = of.server.cpuUs();
  const databaseBefore = of.databaseCpuUs();
  const ends = performance.now() + seconds * 1_000;
  let count = 0;
  const chains = await chainsOf(of, started, () => performance.now() < ends && ++count > 0);
  const load = await sendChains(of.token, chains);
  const each = (us: number): number => round(us / count, 1);
  const cpu = { server: of.server.cpuUs() - before, database: of.databaseCpuUs() - databaseBefore };
  return { ...load, cpu_us: each(cpu.server), database_cpu_us: each(cpu.database) };
}

type Family = { readonly agent: Issuer["agents"][number]; token: string };

/** The way that a person goes: asks for a mandate, signs in, allows it, exchanges the code. */
async function openFamily(of: Issuer, index: number): Promise<Family> {
  const agent = of.agents[index % of.agents.length];
  invariant(agent !== undefined, "there is an agent");
  const client = new OAuthClient(of, agent.id, { assertion: agent.assertion, dpop: agent.dpop });
  const { body } = await exchange(client, await obtainCode(of, client));
  if (typeof body["refresh_token"] !== "string") throw new Error(`no refresh token: ${JSON.stringify(body)}`);
  return { agent, token: body["refresh_token"] };
}

/** A chain for each family, as long as there is to be one more. */
async function chainsOf(of: Issuer, started: readonly Family[], more: () => boolean): Promise<Chain[]> {
  const nonce = await nonceOf(of);
  return started.map((family) => ({
    next() {
      if (!more()) return undefined;
      const form = { grant_type: "refresh_token", refresh_token: family.token };
      return prepare(of.token, authenticated({ ...of, agent: family.agent, nonce }, form));
    },
    accept(answer) {
      const token = /"refresh_token":"([^"]+)"/.exec(answer)?.[1];
      if (token !== undefined) family.token = token;
      return token !== undefined && answer.startsWith("HTTP/1.1 200");
    },
  }));
}
