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
const crowdedMs = 2_000;

type Learnt = Pick<Held, "window" | "proven">;
const stranger: Learnt = { window: 1, proven: false };

/**
 * Who may send how much. A receiver begins with one attempt at once; each good answer allows one more, each bad or slow one
 * halves what is allowed. Whoever has not proven itself shares half of the slots with its like, so that receivers that hang,
 * however many, leave the other half to those that answer (W07).
 */
export class HeldLanes {
  readonly #slotsMax: number;
  readonly #lanes = new Map<Id<"webhook">, Held>();
  /** Those with attempts under way, also when they are not ours any more. */
  readonly #busy = new Set<Held>();
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
    let free = this.#slotsMax - this.underWay();
    let freeUnproven = this.#slotsMax / 2 - this.#unproven();
    const rooms: Room[] = [];
    for (const held of this.#lanes.values()) {
      if (!held.more || isHeld(held, now)) continue;
      const room = Math.min(held.window - held.underWay, free, held.proven ? free : freeUnproven);
      if (room <= 0) continue;
      free -= room;
      if (!held.proven) freeUnproven -= room;
      rooms.push({ held, room });
    }
    return rooms;
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
      (held) => held.underWay === 0 && (!held.more || isHeld(held, now) || (crowded && !held.proven)),
    );
    for (const held of idle) {
      if (held.more && !isHeld(held, now)) held.heldUntil = after(now, crowdedMs);
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
