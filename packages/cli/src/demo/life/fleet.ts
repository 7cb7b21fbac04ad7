import { newId } from "@remit/kernel";
import { type JsonObject, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { AnswerRefused } from "../../refusals.ts";
import { type Doors, type SecretAgent, textOf } from "./doors.ts";
import { fleet } from "./plan.ts";

const slug = (name: string): string =>
  name
    .normalize("NFKD")
    .replaceAll(/[^\x20-\x7e]/g, "")
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, "-");

/** Registers the fleet, each agent that is not there yet, with a credential that this run alone knows. */
export async function registerFleet(doors: Doors): Promise<readonly SecretAgent[]> {
  const known = await doors.list({ path: "/api/v1/agents?limit=100", scope: "agents:read" });
  const made: SecretAgent[] = [];
  for (const described of fleet) {
    const email = `${slug(described.name)}@agents.example`;
    const agent =
      known.find((one) => one["email"] === email) ?? (await register(doors, { ...described, email }));
    const id = textOf(agent, "agentId");
    const key = generateJwk("ES256");
    const secret = agent["status"] === "active" ? await credential(doors, id, key) : "";
    made.push({ id, secret, key });
  }
  return made;
}

const register = (doors: Doors, agent: object): Promise<JsonObject> =>
  doors.manage({
    method: "POST",
    path: "/api/v1/agents",
    scope: "agents:write agents:read tokens:read",
    body: { ...agent, scopes: ["agents:read", "tokens:read", "oid4ac:payment"] },
  });

/** Its own credential; one from an earlier run is renewed with the key beside it, since nobody knows them any more. */
async function credential(doors: Doors, id: string, key: PrivateJwk): Promise<string> {
  const dpopJwk = publicJwkOf(key);
  await doors.manage({
    method: "PUT",
    path: `/api/v1/agents/${id}/keys`,
    scope: "agents:write",
    body: { dpopJwk },
  });
  const path = `/api/v1/agents/${id}/credentials`;
  const known = (await doors.list({ path, scope: "agents:read" })).find(({ status }) => status === "active");
  const made = await doors.manage({
    method: "POST",
    path: known === undefined ? path : `${path}/${textOf(known, "credentialId")}/rotate`,
    scope: "agents:write",
    body: known === undefined ? { name: "Production" } : {},
  });
  return textOf(made, "clientSecret");
}

/** A day's work: each asks for a token and reads about itself by it. */
export async function work(doors: Doors, agents: readonly SecretAgent[]): Promise<void> {
  for (const agent of agents)
    if (agent.secret !== "")
      await doors.actAs(agent, { method: "GET", path: `/api/v1/agents/${agent.id}`, scope: "agents:read" });
}

/** One asks for what is not there, and is refused: what the log of requests is for. */
export async function mistake(doors: Doors, [agent]: readonly SecretAgent[]): Promise<void> {
  if (agent === undefined) return;
  try {
    await doors.actAs(agent, {
      method: "GET",
      path: `/api/v1/agents/${newId("agent")}`,
      scope: "agents:read",
    });
  } catch (error) {
    if (!(error instanceof AnswerRefused)) throw error;
  }
}

/** What happens to some: one is retired, one suspended; two hand on what they may do. */
export async function fates(doors: Doors, agents: readonly SecretAgent[]): Promise<void> {
  const stand = (at: number, verb: string): Promise<unknown> =>
    doors.manage({
      method: "POST",
      path: `/api/v1/agents/${agents[at]?.id}/${verb}`,
      scope: "agents:write",
      body: {},
    });
  if (agents[11]?.secret !== "") await stand(11, "suspend");
  if (agents[10]?.secret !== "") await stand(10, "decommission");
}

export async function handOn(doors: Doors, agents: readonly SecretAgent[]): Promise<void> {
  const [first, second, third, fourth] = agents;
  if (first === undefined || second === undefined || third === undefined || fourth === undefined) return;
  const hand = (from: SecretAgent, to: SecretAgent, under?: string): Promise<JsonObject> =>
    doors.actAs(from, {
      method: "POST",
      path: "/api/v1/token/delegate",
      scope: "agents:read",
      body: {
        delegateeAgentId: to.id,
        scopes: ["agents:read"],
        ttlSeconds: 86_400,
        ...(under === undefined ? {} : { delegationToken: under }),
      },
    });
  const given = await hand(first, second);
  await hand(first, third);
  await hand(second, fourth, textOf(given, "delegationToken"));
}
