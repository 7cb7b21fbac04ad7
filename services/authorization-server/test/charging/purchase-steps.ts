import { type Id, minuteMs, secondMs } from "@remit/kernel";
import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import fc from "fast-check";
import { expect } from "vitest";
import { checkBudget } from "../../src/mandates/index.ts";
import type { Fault } from "./billing.ts";
import {
  asMerchant,
  budgetOf,
  type ChargeRequest,
  giveMandate,
  type IssuedTestMandate,
  own,
  purchase,
  type World,
} from "./world.ts";

const places = [
  "charge.held",
  "charge.authorizing",
  "charge.authorized",
  "charge.capturing",
  "charge.captured",
  "charge.releasing",
  "approval.granted",
  "approval.answered",
] as const;
const verbs = ["hold", "capture", "release", "refund", "read"] as const;
const faults = ["lost", "answer_lost", "500", "declined"] as const satisfies readonly Fault[];

/** What goes wrong meanwhile: whoever drives a charge dies at a place, or billing stumbles at a verb. */
type Trouble =
  | { readonly kind: "none" }
  | { readonly kind: "dies"; readonly at: (typeof places)[number] }
  | { readonly kind: "stumbles"; readonly verb: (typeof verbs)[number]; readonly fault: Fault };

type Kind =
  | "buy"
  | "again"
  | "answer"
  | "commit"
  | "capture"
  | "release"
  | "refund"
  | "stop"
  | "revoke"
  | "recover"
  | "wait";

export type PurchaseStep = {
  readonly kind: Kind;
  /** Which mandate, purchase or charge, by its place. */
  readonly at: number;
  /** In thousandths of what there is. */
  readonly part: number;
  readonly trouble: Trouble;
};

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Trouble>({ kind: "none" }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("dies" as const), at: fc.constantFrom(...places) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("stumbles" as const),
      verb: fc.constantFrom(...verbs),
      fault: fc.constantFrom(...faults),
    }),
  },
);

const kind = fc.oneof(
  ...(
    [
      ["buy", 8],
      ["again", 2],
      ["answer", 4],
      ["commit", 1],
      ["stop", 1],
      ["capture", 6],
      ["release", 2],
      ["refund", 3],
      ["recover", 4],
      ["wait", 1],
      ["revoke", 1],
    ] as const
  ).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name) })),
);

export const purchaseSteps = (count: number): fc.Arbitrary<PurchaseStep[]> =>
  fc.array(fc.record({ kind, at: fc.nat(1_000_000), part: fc.integer({ min: 1, max: 1_000 }), trouble }), {
    minLength: count,
    maxLength: count,
  });

type Bought = {
  readonly request: ChargeRequest;
  /** Every charge that was named in an answer to this presentation. */
  readonly named: Set<string>;
};

type Row = {
  readonly id: Id<"charge">;
  readonly state: string;
  readonly capture: number;
  readonly refunded: number;
};

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const capMinor = 20_000;
/** Above it a purchase waits for its principal. */
const askedAboveMinor = 3_500;
const over: ReadonlySet<string> = new Set(["captured", "refunded", "released", "declined", "expired"]);

/** A merchant and the mandates that it charges, whatever dies meanwhile. */
export class Shop {
  readonly #world: World;
  readonly #mandates: IssuedTestMandate[] = [];
  readonly #every: Id<"mandate">[] = [];
  readonly #bought: Bought[] = [];
  readonly #stopped = new Set<Id<"mandate">>();
  /** Charges whose goods left, since a capture of theirs was answered so. */
  readonly #delivered = new Set<string>();

  private constructor(world: World) {
    this.#world = world;
  }

  static async open(world: World): Promise<Shop> {
    const shop = new Shop(world);
    for (let count = 0; count < 3; count++) await shop.#give(count);
    return shop;
  }

  async #give(at: number): Promise<void> {
    const mandate = await giveMandate(this.#world, {
      amount_minor: capMinor,
      step_up: [{ above_minor: askedAboveMinor }],
    });
    this.#mandates[at] = mandate;
    this.#every.push(mandate.id);
  }

  /** What it answers or throws is for the caller; what must hold whatever happens is checked after it. */
  async take(step: PurchaseStep): Promise<void> {
    arm(this.#world, step.trouble);
    await this.#do(step).catch((error: unknown) => {
      expect(String(Object(error).code ?? Object(error).message)).not.toMatch(/invariant/i);
    });
    disarm(this.#world);
    await this.#assertDelivered();
    for (const { id } of this.#mandates) {
      const { held, spent, cap } = await budgetOf(this.#world, id);
      expect(held + spent <= cap, "I2").toBe(true);
    }
  }

  async #do({ kind, at, part }: PurchaseStep): Promise<void> {
    const { charges, clock, payer } = this.#world;
    if (kind === "wait") return clock.advance(20 * secondMs);
    if (kind === "buy") return this.#buy(at, part);
    if (kind === "revoke") return this.#revoke(at);
    const bought = this.#bought[at % Math.max(1, this.#bought.length)];
    if (bought === undefined) return;
    if (kind === "again") return this.#post(bought);
    const id = [...bought.named][0] as Id<"charge"> | undefined;
    if (id === undefined) return;
    if (kind === "answer") return this.#answer(id, part % 3 === 0 ? "deny" : "approve");
    if (kind === "stop") return this.#stop(at);
    if (kind === "commit") return void (await charges.commit(own(this.#world, id)));
    if (kind === "recover") return void (await charges.recover(payer, id));
    if (kind === "release") return void (await charges.release(own(this.#world, id), "cancelled"));
    if (kind === "refund")
      return void (await charges.refund(own(this.#world, id), { key: `r${at}`, amountMinor: part }));
    const { state } = await charges.capture(own(this.#world, id), { ...order, amountMinor: undefined });
    if (state === "captured") this.#delivered.add(id);
  }

  async #buy(at: number, part: number): Promise<void> {
    const mandate = this.#mandates[at % this.#mandates.length];
    if (mandate === undefined) return;
    const capture = part % 3 === 0 ? "automatic" : "manual";
    const request = purchase(this.#world, { mandate, amount: 1 + part * 5, request: { capture } });
    const bought = { request, named: new Set<string>() };
    this.#bought.push(bought);
    await this.#post(bought);
  }

  async #post({ request, named }: Bought): Promise<void> {
    const charge = await this.#world.charges.create(asMerchant(this.#world), request);
    named.add(charge.id);
    if (charge.state === "captured" && charge.captureMode === "automatic") this.#delivered.add(charge.id);
  }

  async #revoke(at: number): Promise<void> {
    const place = at % this.#mandates.length;
    const gone = this.#mandates[place];
    if (gone === undefined) return;
    const why = { because: "test", actor: { type: "system", id: "test" } } as const;
    const { db, mandates, payer } = this.#world;
    await db.of(payer).transaction((tx) => mandates.revokeWithin(tx, gone.id, why));
    await this.#give(place);
  }

  /** Whoever waits for a yes or a no gets one, or the time for it runs out. */
  async #answer(id: Id<"charge">, verb: "approve" | "deny" | "expire"): Promise<void> {
    const { approvals, payer, principal } = this.#world;
    const [asked] = await this.#world.database.asAdmin<{ id: Id<"approval"> }>(
      "select id from approvals where charge_id = $1 and state = 'pending'",
      [id],
    );
    if (asked === undefined) return;
    const named = { tenant: payer, principal, id: asked.id };
    if (verb === "expire") return void (await approvals.expire(named));
    await approvals[verb](named, { account: principal });
  }

  /** A mandate is suspended, or resumed when it was. */
  async #stop(at: number): Promise<void> {
    const mandate = this.#mandates[at % this.#mandates.length];
    if (mandate === undefined) return;
    const why = { because: "test", actor: { type: "system", id: "test" } } as const;
    const { db, mandates, payer } = this.#world;
    const verb = this.#stopped.delete(mandate.id) ? "resumeWithin" : "suspendWithin";
    if (verb === "suspendWithin") this.#stopped.add(mandate.id);
    await db.of(payer).transaction((tx) => mandates[verb](tx, mandate.id, why));
  }

  #rows(): Promise<Row[]> {
    return this.#world.database.asAdmin<Row>(
      `select id, state, coalesce(capture_minor, 0)::integer as capture, refunded_minor::integer as refunded
       from charges where mandate_id = any($1)`,
      [this.#every],
    );
  }

  /** All that was left alone is recovered; then nothing is held, and each side says the same of the money. */
  async assertWhole(): Promise<void> {
    const { charges, clock, db, payer } = this.#world;
    for (let round = 0; round < 20; round++) {
      const open = (await this.#rows()).filter(({ state }) => !over.has(state));
      if (open.length === 0) break;
      clock.advance(minuteMs);
      // A job that finds no database comes back.
      for (const { id, state } of open) {
        if (state === "pending_approval") await this.#answer(id, "expire");
        await charges.recover(payer, id).catch((error: unknown) => {
          if (Object(error).code !== "unavailable") throw error;
        });
      }
    }
    const rows = await this.#rows();
    let spent = 0;
    for (const row of rows) spent += await this.#assertExplained(row);
    let kept = 0n;
    for (const id of this.#every) {
      const budget = await budgetOf(this.#world, id);
      expect(budget.held).toBe(0n);
      kept += budget.spent;
      expect(await db.of(payer).transaction((tx) => checkBudget(tx, id))).toBe(true);
    }
    expect(kept).toBe(BigInt(spent) * 10_000n);
    for (const { named } of this.#bought) expect(named.size <= 1, "I3").toBe(true);
    expect(rows.length <= this.#bought.length, "I3").toBe(true);
    await this.#assertDelivered();
  }

  /** At every step, and not only when all is recovered: what left has been taken, and stays so or is on its way back. */
  async #assertDelivered(): Promise<void> {
    if (this.#delivered.size === 0) return;
    const rows = await this.#world.database.asAdmin<{ id: string; state: string; receipt: string | null }>(
      "select id, state, receipt_id as receipt from charges where id = any($1)",
      [[...this.#delivered]],
    );
    expect(rows.length, "I4").toBe(this.#delivered.size);
    for (const { id, state, receipt } of rows) {
      expect(["captured", "refunding", "refunded"], `I4 ${id}`).toContain(state);
      expect(receipt, `I4 ${id}`).not.toBeNull();
    }
  }

  /** What a charge says of itself is what billing did, and what the log tells, each once; answers what it spent. */
  async #assertExplained({ id, state, capture, refunded }: Row): Promise<number> {
    expect(over.has(state), `${id} is ${state}`).toBe(true);
    const payments = [...this.#world.billing.payments.values()].filter(({ charge }) => charge === id);
    const captured = payments.reduce((sum, row) => sum + row.captured, 0);
    const back = payments
      .flatMap(({ refunds }) => [...refunds.values()])
      .reduce((sum, { amount, status }) => sum + (status === "succeeded" ? amount : 0), 0);
    const isTaken = state === "captured" || state === "refunded";
    expect([captured, back]).toEqual(isTaken ? [capture, refunded] : [0, 0]);
    const told = await this.#world.database.asAdmin<{ event: string; times: number }>(
      "select event, count(*)::integer as times from audit_rows where subject = $1 and tenant_id = $2 group by event",
      [id, this.#world.payer],
    );
    const timesOf = (event: string): number =>
      told.find((one) => one.event === `charge.${event}`)?.times ?? 0;
    const once = ["held", isTaken ? "captured" : state];
    for (const event of once) expect([event, timesOf(event)], "I5").toEqual([event, 1]);
    expect(timesOf("capturing") >= (isTaken ? 1 : 0), "I5").toBe(true);
    return isTaken ? capture - refunded : 0;
  }
}

function arm({ billing }: World, trouble: Trouble): void {
  if (trouble.kind === "dies") setFailpoint(failpointOf(`${trouble.at}:error`, "test"));
  if (trouble.kind === "stumbles") billing.fail(trouble.verb, trouble.fault);
}

function disarm({ billing }: World): void {
  setFailpoint(undefined);
  for (const verb of verbs) billing.fail(verb, "lost", 0);
}
