import { after, type Id, type Instant } from "@remit/kernel";
import type { Lane } from "../lanes/index.ts";

/** A lane that this process holds. Its window says how many attempts it may have under way at once. */
export type Held = Lane & {
  window: number;
  /** Whether its receiver answered the last attempt well and soon. Others share half of the slots. */
  proven: boolean;
  underWay: number;
  /** Whether there may be something to send. */
  more: boolean;
  heldUntil: Instant | undefined;
};

export type Room = { readonly held: Held; readonly room: number };

const windowMax = 32;
const rememberedMax = 10_000;
/** How long a lane that got no slot is left to others: longer while receivers hang. */
const crowdedMs = 2_000;
const fullMs = 100;

type Learnt = Pick<Held, "window" | "proven">;
const stranger: Learnt = { window: 1, proven: false };

/**
 * Who may send how much. A receiver begins with one attempt at once; each good answer allows one more, each bad or slow one
 * halves what is allowed. Whoever has not proven itself shares half of the slots with its like, so that receivers that hang,
 * however many, leave the other half to those that answer (W07). No tenant has more than a quarter of them (T12), and lanes
 * take turns, a slot each: whoever had one stands behind all others.
 */
export class HeldLanes {
  readonly #slotsMax: number;
  readonly #lanes = new Map<Id<"webhook">, Held>();
  /** Those with attempts under way, also when they are not ours any more. */
  readonly #busy = new Set<Held>();
  /** Those that wanted a slot, when slots were last given away, and got none. */
  readonly #without = new Set<Held>();
  readonly #learnt = new Map<Id<"webhook">, Learnt>();

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  add(lane: Lane): void {
    const { window, proven } = this.#learnt.get(lane.webhook) ?? stranger;
    this.#lanes.set(lane.webhook, {
      ...lane,
      window,
      proven,
      underWay: 0,
      more: true,
      heldUntil: undefined,
    });
  }

  /** The lanes themselves, for their leases. */
  all(): Held[] {
    return [...this.#lanes.values()];
  }

  news(webhooks: readonly Id<"webhook">[]): void {
    for (const webhook of webhooks) {
      const held = this.#lanes.get(webhook);
      if (held !== undefined) held.more = true;
    }
  }

  underWay(): number {
    return sumOf(this.#busy, () => true);
  }

  /** How many attempts of which lanes may begin now. */
  rooms(now: Instant): Room[] {
    const slots = this.#free();
    const given = new Map<Held, number>();
    this.#without.clear();
    let asking = this.all().filter((held) => held.more && !isHeld(held, now) && held.underWay < held.window);
    while (asking.length > 0)
      asking = asking.filter((held) => {
        const before = given.get(held) ?? 0;
        if (held.underWay + before >= held.window) return false;
        if (!slots.take(held)) {
          if (before === 0) this.#without.add(held);
          return false;
        }
        given.set(held, before + 1);
        return true;
      });
    for (const held of given.keys()) {
      this.#lanes.delete(held.webhook);
      this.#lanes.set(held.webhook, held);
    }
    return [...given].map(([held, room]) => ({ held, room }));
  }

  /** The slots that are free: in all, for those who are not proven, and for each tenant. */
  #free(): { take(held: Held): boolean } {
    let all = this.#slotsMax - this.underWay();
    let unproven = this.#slotsMax / 2 - this.#unproven();
    const had = new Map<Id<"tenant">, number>();
    for (const { tenant, underWay } of this.#busy) had.set(tenant, (had.get(tenant) ?? 0) + underWay);
    return {
      take: ({ tenant, proven }) => {
        const ofTenant = had.get(tenant) ?? 0;
        if (all <= 0 || (!proven && unproven <= 0) || ofTenant >= this.#slotsMax / 4) return false;
        all -= 1;
        if (!proven) unproven -= 1;
        had.set(tenant, ofTenant + 1);
        return true;
      },
    };
  }

  began({ held, room }: Room, count: number): void {
    held.underWay += count;
    if (count > 0) this.#busy.add(held);
    if (count < room) held.more = false;
  }

  /** Learns from an answer how much its receiver can take. */
  answered(
    held: Held,
    { well, heldUntil }: { readonly well: boolean; readonly heldUntil: Instant | undefined },
  ): void {
    held.window = well ? Math.min(held.window + 1, windowMax) : Math.max(1, held.window >> 1);
    held.proven = well;
    if (heldUntil !== undefined) held.heldUntil = heldUntil;
    this.#learnt.delete(held.webhook);
    this.#learnt.set(held.webhook, { window: held.window, proven: held.proven });
    if (this.#learnt.size > rememberedMax)
      this.#learnt.delete(this.#learnt.keys().next().value ?? held.webhook);
  }

  ended(held: Held): void {
    held.underWay -= 1;
    if (held.underWay === 0) this.#busy.delete(held);
  }

  /** Lanes with nothing to do, or for which there is no slot for a while. They are not held any more. */
  takeIdle(now: Instant): Held[] {
    const crowded = this.#unproven() >= this.#slotsMax / 2;
    const idle = this.all().filter(
      (held) => held.underWay === 0 && (!held.more || isHeld(held, now) || this.#without.has(held)),
    );
    for (const held of idle) {
      if (held.more && !isHeld(held, now))
        held.heldUntil = after(now, crowded && !held.proven ? crowdedMs : fullMs);
      this.#lanes.delete(held.webhook);
    }
    return idle;
  }

  /** Forgets a lane without giving it back: somebody else has it, or will when its lease has run out. */
  drop(held: Held): void {
    if (this.#lanes.get(held.webhook) === held) this.#lanes.delete(held.webhook);
  }

  #unproven(): number {
    return sumOf(this.#busy, ({ proven }) => !proven);
  }
}

function sumOf(busy: ReadonlySet<Held>, counts: (held: Held) => boolean): number {
  let sum = 0;
  for (const held of busy) if (counts(held)) sum += held.underWay;
  return sum;
}

const isHeld = ({ heldUntil }: Held, now: Instant): boolean => heldUntil !== undefined && now < heldUntil;
