import { dayMs, hourMs, secondMs } from "@remit/kernel";
import fc from "fast-check";
import type { Fault } from "./billing.ts";

export const verbs = ["hold", "capture", "release", "refund", "read"] as const;
const faults = ["lost", "answer_lost", "500", "declined"] as const satisfies readonly Fault[];

/** What goes wrong meanwhile: whoever does it dies at the n-th step of it, or billing stumbles at a verb. */
export type Trouble =
  | { readonly kind: "none" }
  | { readonly kind: "dies"; readonly at: number }
  | { readonly kind: "stumbles"; readonly verb: (typeof verbs)[number]; readonly fault: Fault };

const weights = {
  buy: 10,
  again: 2,
  answer: 3,
  commit: 1,
  capture: 6,
  release: 2,
  refund: 3,
  amend: 2,
  recover: 3,
  settle_tab: 4,
  give: 1,
  hand_on: 2,
  narrow: 1,
  suspend: 1,
  resume: 4,
  revoke: 1,
  export: 1,
  use: 2,
  close: 1,
  dispute: 3,
  accept: 2,
  withdraw: 1,
  look: 3,
  network: 2,
  wait: 2,
} as const;

export type LifeStep = {
  readonly kind: keyof typeof weights;
  /** Which mandate, purchase, charge, tab, export or dispute, by its place. */
  readonly at: number;
  /** In thousandths of what there is. */
  readonly part: number;
  readonly trouble: Trouble;
};

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Trouble>({ kind: "none" }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("dies" as const), at: fc.integer({ min: 1, max: 10 }) }),
  },
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
  ...Object.entries(weights).map(([name, weight]) => ({
    weight,
    arbitrary: fc.constant(name as LifeStep["kind"]), // the names of `weights`
  })),
);

export const lifeSteps = (count: number): fc.Arbitrary<LifeStep[]> =>
  fc.array(fc.record({ kind, at: fc.nat(1_000_000), part: fc.integer({ min: 1, max: 1_000 }), trouble }), {
    minLength: count,
    maxLength: count,
  });

/** How far the clock moves: mostly a little, sometimes past what may be served, seldom to the next day. */
export const waitMs = ({ part }: LifeStep): number =>
  part > 960 ? dayMs : part > 850 ? hourMs : 20 * secondMs;

/** One of what there is, by a step's place; undefined when there is nothing. */
export const pick = <T>(from: readonly T[], { at }: LifeStep): T | undefined =>
  from[at % Math.max(1, from.length)];
