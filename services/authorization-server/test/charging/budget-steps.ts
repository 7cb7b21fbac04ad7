import { assetOf, type Id, newId } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { publicJwkOf } from "@remit/protocol";
import fc from "fast-check";
import { expect } from "vitest";
import { captureHold, checkBudget, refundHold, releaseHold, takeHold } from "../../src/mandates/index.ts";
import { budgetOf, giveMandate, newAgent, type World } from "./world.ts";

/** One thing that happens to a tree of mandates; `lost` when its transaction dies before it commits. */
export type Step = {
  readonly kind: "hold" | "capture" | "release" | "refund" | "narrow" | "suspend" | "resume";
  /** Which mandate, or which charge, by its place. */
  readonly at: number;
  /** In thousandths of what there is. */
  readonly part: number;
  readonly lost: boolean;
};

export const steps = (count: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom(
        "hold",
        "hold",
        "hold",
        "capture",
        "capture",
        "release",
        "refund",
        "narrow",
        "suspend",
        "resume",
      ),
      at: fc.nat(1_000_000),
      part: fc.integer({ min: 1, max: 1_000 }),
      lost: fc.boolean(),
    }),
    { minLength: count, maxLength: count },
  );

type Budget = { cap: bigint; asked: bigint | undefined; held: bigint; spent: bigint; uses: number };
type Node = {
  readonly id: Id<"mandate">;
  readonly chain: readonly number[];
  told: number;
  own: "active" | "suspended";
};
type Charge = {
  readonly id: Id<"charge">;
  readonly node: number;
  readonly amount: bigint;
  state: "held" | "captured" | "released";
  captured: bigint;
  refunded: bigint;
};

const unit = 10_000n;
const asset = assetOf("EUR");
const actor = { type: "system", id: "test" } as const;

class Lost extends Error {}

/** A root, two below it and one below the first of them, beside what they must be by arithmetic alone. */
export class BudgetTree {
  readonly #world: World;
  readonly #nodes: Node[] = [];
  readonly #budgets: Budget[] = [];
  readonly #charges: Charge[] = [];

  private constructor(world: World) {
    this.#world = world;
  }

  static async plant(world: World): Promise<BudgetTree> {
    const tree = new BudgetTree(world);
    const other = await newAgent(world.db, world);
    const root = await giveMandate(world, { amount_minor: 50_000 });
    tree.#add(root.id, [0], 50_000);
    const below = async (parent: number, amount: number): Promise<void> => {
      const chain = [...(tree.#nodes[parent]?.chain ?? []), tree.#nodes.length];
      const depth = chain.length % 2 === 0;
      const [by, to] = depth ? [world.agent, other] : [other, world.agent];
      const handed = await world.db.of(world.payer).transaction((tx) =>
        world.mandates.handOnWithin(tx, {
          parent: tree.#node(parent).id,
          by: by.id,
          to: { agent: to.id, tenant: world.operator, holder: publicJwkOf(to.dpop) },
          asked: { amount_minor: amount },
          more: {},
          now: world.clock.now(),
        }),
      );
      tree.#add(handed.id, chain, amount);
    };
    await below(0, 30_000);
    await below(0, 40_000);
    await below(1, 20_000);
    return tree;
  }

  #add(id: Id<"mandate">, chain: readonly number[], cap: number): void {
    this.#nodes.push({ id, chain, told: 1, own: "active" });
    this.#budgets.push({ cap: BigInt(cap) * unit, asked: undefined, held: 0n, spent: 0n, uses: 0 });
  }

  #node(at: number): Node {
    const node = this.#nodes[at % this.#nodes.length];
    if (node === undefined) throw new Error("there is no mandate");
    return node;
  }

  #budget(at: number): Budget {
    const budget = this.#budgets[at];
    if (budget === undefined) throw new Error("there is no budget");
    return budget;
  }

  /** Does it, in a transaction of its own, and says whether it happened. */
  async take(step: Step): Promise<void> {
    const planned = this.#plan(step);
    if (planned === undefined) return;
    const { work, may, after } = planned;
    let happened = true;
    try {
      await this.#world.db.of(this.#world.payer).transaction(async (tx) => {
        await work(tx);
        if (step.lost) throw new Lost();
      });
    } catch (error) {
      if (!(error instanceof Lost) && Object(error).code !== "mandate_cap_exceeded") throw error;
      happened = false;
      expect(error instanceof Lost, "refused exactly when there is no room").toBe(may);
    }
    if (happened) {
      expect(may, "held exactly when there is room").toBe(true);
      after();
    }
    await this.assertAsPlanned();
  }

  /** I2: what is kept is what arithmetic says, and never above the cap. */
  async assertAsPlanned(): Promise<void> {
    for (const [at, { id }] of this.#nodes.entries()) {
      const { cap, held, spent, uses } = await budgetOf(this.#world, id);
      const wanted = this.#budget(at);
      expect({ cap, held, spent, uses }).toEqual({
        cap: wanted.cap,
        held: wanted.held,
        spent: wanted.spent,
        uses: wanted.uses,
      });
      expect(held + spent <= cap).toBe(true);
    }
  }

  /** I2 from the other side, and I5: each change of a state has its one entry. */
  async assertWhole(): Promise<void> {
    for (const { id, told } of this.#nodes) {
      expect(await this.#world.db.of(this.#world.payer).transaction((tx) => checkBudget(tx, id))).toBe(true);
      const [row] = await this.#world.database.asAdmin<{ told: number }>(
        "select count(*)::integer as told from audit_rows where subject = $1 and event in ('mandate.issued', 'mandate.narrowed', 'mandate.suspended', 'mandate.resumed') and body not like '%ancestor%'",
        [id],
      );
      expect(row?.told).toBe(told);
    }
  }

  #plan(
    step: Step,
  ): { work: (tx: TenantTx) => Promise<unknown>; may: boolean; after: () => void } | undefined {
    switch (step.kind) {
      case "hold":
        return this.#hold(step);
      case "capture":
      case "release":
      case "refund":
        return this.#settle(step);
      case "narrow":
        return this.#narrow(step);
      case "suspend":
      case "resume":
        return this.#brake(step, step.kind);
    }
  }

  #hold({ at, part }: Step) {
    const node = this.#node(at);
    const amount = (BigInt(part) * 20n + 1n) * unit;
    const [place = 0] = [node.chain.at(-1)];
    const charge: Charge = {
      id: newId("charge"),
      node: place,
      amount,
      state: "held",
      captured: 0n,
      refunded: 0n,
    };
    const budgets = node.chain.map((one) => this.#budget(one));
    const above = node.chain.slice(0, -1).map((one) => ({ mandate: this.#node(one).id, velocity: [] }));
    if (asset === undefined) throw new Error("EUR is known");
    const wanted = { mandate: node.id, velocity: [], above, charge: charge.id, amount, asset };
    return {
      work: (tx: TenantTx) => takeHold(tx, wanted),
      may: budgets.every(({ cap, held, spent }) => held + spent + amount <= cap),
      after: () => {
        for (const budget of budgets) {
          budget.held += amount;
          budget.uses += 1;
        }
        this.#charges.push(charge);
      },
    };
  }

  #settle({ kind, at, part }: Step) {
    const wanted = kind === "refund" ? "captured" : "held";
    const open = this.#charges.filter(
      (one) => one.state === wanted && (kind !== "refund" || one.refunded < one.captured),
    );
    const charge = open[at % Math.max(1, open.length)];
    if (charge === undefined) return undefined;
    const of = kind === "refund" ? charge.captured - charge.refunded : charge.amount;
    const amount =
      ((of / unit) * BigInt(part)) / 1_000n === 0n ? unit : (((of / unit) * BigInt(part)) / 1_000n) * unit;
    const move = (held: bigint, spent: bigint, uses: number): void => {
      for (const one of this.#node(charge.node).chain) {
        const budget = this.#budget(one);
        budget.held += held;
        budget.spent += spent;
        budget.uses += uses;
        const least = budget.held + budget.spent;
        if (budget.asked === undefined) continue;
        const floor = budget.asked > least ? budget.asked : least;
        if (floor < budget.cap) budget.cap = floor;
      }
    };
    if (kind === "capture")
      return {
        work: (tx: TenantTx) => captureHold(tx, charge.id, amount),
        may: true,
        after: () => {
          charge.state = "captured";
          charge.captured = amount;
          move(-charge.amount, amount, 0);
        },
      };
    if (kind === "release")
      return {
        work: (tx: TenantTx) => releaseHold(tx, charge.id),
        may: true,
        after: () => {
          charge.state = "released";
          move(-charge.amount, 0n, -1);
        },
      };
    return {
      work: (tx: TenantTx) => refundHold(tx, charge.id, charge.refunded + amount),
      may: true,
      after: () => {
        charge.refunded += amount;
        move(0n, -amount, 0);
      },
    };
  }

  #narrow({ at, part }: Step) {
    const node = this.#node(at);
    const budget = this.#budget(node.chain.at(-1) ?? 0);
    const from = Number((budget.asked ?? budget.cap) / unit);
    // Seldom by much: a tree without room says nothing.
    const to = Math.max(1, from - Math.floor(part / 50));
    return {
      work: (tx: TenantTx) =>
        this.#world.mandates.narrowWithin(tx, node.id, { to: { amount_minor: to }, actor }),
      may: true,
      after: () => {
        const asked = BigInt(to) * unit;
        const least = budget.held + budget.spent;
        budget.asked = asked;
        budget.cap = asked > least ? asked : least;
        node.told += 1;
      },
    };
  }

  #brake({ at }: Step, kind: "suspend" | "resume") {
    const node = this.#node(at);
    const to = kind === "suspend" ? "suspended" : "active";
    const why = { because: "test", actor };
    const { mandates } = this.#world;
    return {
      work: (tx: TenantTx) =>
        kind === "suspend"
          ? mandates.suspendWithin(tx, node.id, why)
          : mandates.resumeWithin(tx, node.id, why),
      may: true,
      after: () => {
        if (node.own !== to) node.told += 1;
        node.own = to;
      },
    };
  }
}
