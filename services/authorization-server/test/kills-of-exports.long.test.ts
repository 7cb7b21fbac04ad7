import { systemClock } from "@remit/kernel";
import { sha256b64url } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkBudget } from "../src/mandates/index.ts";
import type { As } from "./charging/api.ts";
import { type Charger, startCharger } from "./charging/processes.ts";
import {
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  type TestAgent,
  type World,
} from "./charging/world.ts";

// The process dies by kill -9 before a step of an export is written, or once it is and nobody has heard of it. Afterwards the budget is
// what the holds say, each use counted once, and the log has each step once (I1 to I5).
let world: World;
let charger: Charger;
let agent: TestAgent;

beforeAll(async () => {
  world = await createWorld({ billingClock: systemClock });
  charger = await startCharger(world, 500);
});
afterAll(async () => {
  await charger.process.kill();
  await world.close();
});
beforeEach(async () => {
  world.clock.set(systemClock.now());
  agent = await newAgent(world.db, world);
});

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const asAgent = (): As => ({ tenant: world.operator, client: agent.id, scopes: ["oid4ac:payment"] });
const asBilling = (): As => ({ tenant: world.payer, client: "billing", scopes: ["events:write"] });

type Sent = { readonly status: number; readonly body: Record<string, unknown> };
let keys = 0;

/** One request; undefined when the process has died over it. */
async function send(as: As, path: string, body: object, key = `key-${++keys}`): Promise<Sent | undefined> {
  const headers = {
    authorization: JSON.stringify(as),
    "content-type": "application/json",
    "idempotency-key": key,
  };
  return fetch(charger.origin + path, { method: "POST", headers, body: JSON.stringify(body) }).then(
    async (answer) => ({ status: answer.status, body: Object(await answer.json()) }),
    () => undefined,
  );
}

/** Dies at the place over what is done, and is started again. */
async function dieAt(place: string, work: () => Promise<unknown>): Promise<void> {
  charger = await charger.restart(`${place}:kill9`);
  await work();
  expect(await charger.process.exited).toMatchObject({ signal: "SIGKILL" });
  charger = await charger.restart();
}

/** I1 I2: what the budget says is what its holds and captures say. */
async function isWhole({ id }: IssuedTestMandate, is: { held: number; spent: number }): Promise<void> {
  expect(await budgetOf(world, id)).toMatchObject({ held: units(is.held), spent: units(is.spent) });
  expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, id))).toBe(true);
}

/** What the payer's log has of a subject, in any order. */
const audited = async (subject: unknown): Promise<string[]> =>
  (
    await world.database.asAdmin<{ event: string }>(
      "select event from audit_rows where tenant_id = $1 and subject = $2 order by event",
      [world.payer, subject],
    )
  ).map(({ event }) => event);
const rowsOf = <R>(text: string, ...values: unknown[]) => world.database.asAdmin<R>(text, values);

describe("kill -9 of an export", () => {
  const ap2 = { kind: "ap2", open_checkout_digest: sha256b64url("checkout"), amount_minor: 3_000 };
  const pathOf = ({ id }: IssuedTestMandate): string => `/api/v1/mandates/${id}/exports`;
  const ofMandate = ({ id }: IssuedTestMandate) =>
    rowsOf<{ id: string; state: string; used: string }>(
      "select id, state, used_minor::text as used from exports where mandate_id = $1",
      id,
    );

  test("before it is there: nothing is held, and nothing was given out", async () => {
    const mandate = await giveMandate(world, {}, agent);
    await dieAt("export.making", () => send(asAgent(), pathOf(mandate), ap2));
    expect(await ofMandate(mandate)).toEqual([]);
    await isWhole(mandate, { held: 0, spent: 0 });
    expect((await send(asAgent(), pathOf(mandate), ap2))?.status).toBe(201);
    await isWhole(mandate, { held: 3_000, spent: 0 });
  });

  test("once it is there: the same request gets the same one, and one limit is held", async () => {
    const mandate = await giveMandate(world, {}, agent);
    const ask = () => send(asAgent(), pathOf(mandate), ap2, `export-${mandate.id}`);
    await dieAt("export.made", ask);
    const [made] = await ofMandate(mandate);
    expect(await ask()).toMatchObject({ status: 201, body: { id: made?.id } });
    expect(await ofMandate(mandate)).toHaveLength(1);
    await isWhole(mandate, { held: 3_000, spent: 0 });
    expect(await audited(made?.id)).toEqual(["export.made"]);
  });

  test.each(["export.telling", "export.told"])(
    "at %s: a use counts once, and closing spends what was used once",
    async (place) => {
      const mandate = await giveMandate(world, {}, agent);
      const made = await send(asAgent(), pathOf(mandate), ap2);
      const path = `/api/v1/exports/${String(made?.body["id"])}`;
      const use = () => send(asBilling(), `${path}/uses`, { reference: "pi_1", amount_minor: 700 });
      await dieAt(place, use);
      expect((await use())?.status).toBe(200);
      expect(await ofMandate(mandate)).toMatchObject([{ state: "held", used: "700" }]);
      await isWhole(mandate, { held: 3_000, spent: 0 });
      const close = () => send(asBilling(), `${path}/close`, { used_minor: 700, because: "expired" });
      await dieAt(place, close);
      expect((await close())?.status).toBe(200);
      expect(await ofMandate(mandate)).toMatchObject([{ state: "closed", used: "700" }]);
      await isWhole(mandate, { held: 0, spent: 700 });
      expect(await audited(made?.body["id"])).toEqual(["export.closed", "export.made", "export.used"]);
    },
  );
});
