import { type Agent, createAgent, registerAgent } from "@remit/agent";
import { createPerson } from "@remit/embedded";
import type { JsonObject } from "@remit/protocol";
import { type Doors, textOf } from "./doors.ts";
import { buyers, pathOf } from "./plan.ts";

export type Buyer = {
  readonly agent: Agent;
  readonly plan: (typeof buyers)[number];
  readonly mandate: string;
};

const redirectUri = "http://127.0.0.1/callback";

/** New agents each time: their keys are known to this run alone. The demo's principal gives each a mandate by the pages. */
export async function hireBuyers(doors: Doors): Promise<readonly Buyer[]> {
  const hired: Buyer[] = [];
  for (const plan of buyers) {
    const { dev } = doors;
    const setup = await doors.manage({
      method: "POST",
      path: "/api/v1/setup-tokens",
      scope: "agents:write",
      body: { kind: "agent", name: plan.name },
    });
    const { clientId, keys } = await registerAgent({
      issuer: dev.issuer,
      setupToken: textOf(setup, "setup_token"),
      name: plan.name,
      redirectUris: [redirectUri],
    });
    const agent = createAgent({ issuer: dev.issuer, clientId, keys });
    hired.push({ agent, plan, mandate: await grant(doors, agent, plan) });
  }
  return hired;
}

async function grant({ dev }: Doors, agent: Agent, plan: Buyer["plan"]): Promise<string> {
  const { amount_minor, per_charge_minor, purpose } = plan;
  const details: JsonObject = {
    type: "oid4ac_mandate",
    currency: "USD",
    amount_minor,
    per_charge_minor,
    merchants: [dev.merchant.origin],
    purpose,
    ...("step_up" in plan ? { step_up: plan.step_up.map((one) => ({ ...one })) } : {}),
  };
  const pending = await agent.requestMandate({ resource: dev.merchant.origin, redirectUri, details });
  const { email, password } = dev.principal;
  const walk = await createPerson().follow(pending.authorizeUrl, redirectUri, {
    email,
    password,
    decision: "approve",
  });
  return (await pending.complete(walk.arrivedAt)).id;
}

/** What a buyer buys on a day of the month; the charges that were paid. */
export async function buyOn(doors: Doors, { agent, plan }: Buyer, day: number): Promise<readonly string[]> {
  const charges: string[] = [];
  for (const { what, every } of plan.buys) {
    if (day % every !== 0) continue;
    const { response, charge } = await agent.fetch(doors.dev.gateway + pathOf(what));
    await response.body?.cancel();
    if (response.ok && charge !== undefined) charges.push(charge);
  }
  return charges;
}

/** A purchase above what its mandate allows unasked: the question waits in the wallet. */
export async function leaveQuestion(doors: Doors, { agent }: Buyer): Promise<void> {
  const { response } = await agent.fetch(doors.dev.paid_url, {
    reason: "The weekly report is out, and costs more than the daily one.",
  });
  await response.body?.cancel();
}

export const giveBack = (doors: Doors, charge: string): Promise<unknown> =>
  doors.manage({ method: "POST", path: `/api/v1/sold/${charge}/refund`, scope: "offers:write", body: {} });
