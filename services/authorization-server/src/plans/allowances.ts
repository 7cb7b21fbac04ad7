import { type Clock, type Id, type Instant, minuteMs, monotonicMs, secondMs } from "@remit/kernel";
import { createBatches } from "@remit/platform/batches";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { platformTenant } from "../tenants/index.ts";
import * as rows from "./allowances.sql.ts";
import { headersOf, refusalOf } from "./windows.ts";

/**
 * What organizations may still do today, this month and this minute. A process takes slices of it from the database and
 * uses them up without asking; near a limit a slice is one. What a process holds when it dies is given back once what it
 * issued has been counted.
 */
export type Allowances = {
  /** Takes one. The headers say what is left. Refuses with `plan_limit_reached`. */
  take(kind: rows.SliceKind, tenant: Id<"tenant">): Promise<Readonly<Record<string, string>>>;
  /** Gives back what nobody has used for a while; at the end, all. */
  giveBack(all?: boolean): Promise<void>;
};

type Deps = { readonly db: Database; readonly clock: Clock; readonly log: Log };

/** How long a slice may be used: `plan_settled` counts on it. */
const sliceMs = 5 * secondMs;
const wantedMax = 256;
/** How long what the database refused is refused without asking: a flood of refusals costs it nothing. */
const refusedMs = secondMs / 2;
const keptMax = 20_000;

type Slice = {
  readonly tenant: Id<"tenant">;
  readonly kind: rows.SliceKind;
  /** Undefined: any number, until the end. */
  left: number | undefined;
  readonly takenAt: Instant;
  readonly endsMs: number;
  readonly given: rows.Given;
};

export function createAllowances({ db, clock, log }: Deps): Allowances {
  const slices = new Map<string, Slice>();
  const asking = new Map<string, Promise<void>>();
  const { add } = createBatches({ commit: takeAll({ db, clock }) });
  const isUsable = (slice: Slice | undefined): slice is Slice =>
    slice !== undefined && slice.endsMs > monotonicMs(clock) && sameMinute(slice.takenAt, clock.now());
  const fetch = async (kind: rows.SliceKind, tenant: Id<"tenant">): Promise<void> => {
    const key = `${kind} ${tenant}`;
    const former = slices.get(key);
    slices.delete(key);
    const given = await add({ tenant, kind, wanted: wantedMax, ...unusedOf(former) });
    if (slices.size >= keptMax) slices.delete(slices.keys().next().value ?? "");
    const forMs = given.slice === 0 ? refusedMs : sliceMs;
    const endsMs = monotonicMs(clock) + forMs;
    slices.set(key, { tenant, kind, left: given.slice, takenAt: given.at, endsMs, given });
  };
  const fresh = async (kind: rows.SliceKind, tenant: Id<"tenant">): Promise<void> => {
    const key = `${kind} ${tenant}`;
    const running = asking.get(key);
    if (running !== undefined) return running;
    const one = fetch(kind, tenant).finally(() => asking.delete(key));
    asking.set(key, one);
    return one;
  };
  return {
    async take(kind, tenant) {
      if (tenant === platformTenant) return {};
      for (;;) {
        const slice = slices.get(`${kind} ${tenant}`);
        if (isUsable(slice)) {
          if (slice.left === undefined) return {};
          if (slice.given.spent !== undefined)
            throw refusalOf(slice.given.spent, slice.given.most ?? 0, clock.now());
          if (slice.left > 0) {
            slice.left -= 1;
            return leftOf(slice, clock.now());
          }
        }
        try {
          await fresh(kind, tenant);
        } catch (error) {
          // No token without its count. A call that only reads goes on in an outage: whatever writes fails by itself.
          if (kind === "token") throw error;
          log.warn({ err: error, tenant, kind }, "a plan's allowance cannot be read: not counted");
          return {};
        }
      }
    },
    async giveBack(all = false) {
      const over = [...slices].filter(([, slice]) => all || !isUsable(slice));
      for (const [key] of over) slices.delete(key);
      const asked = over
        .map(([, slice]) => ({ tenant: slice.tenant, kind: slice.kind, wanted: 0, ...unusedOf(slice) }))
        .filter(({ unused }) => unused > 0);
      await Promise.all(asked.map((one) => add(one)));
    },
  };
}

/** One statement for all, and when it was asked. */
const takeAll =
  ({ db, clock }: Pick<Deps, "db" | "clock">) =>
  async (asked: readonly rows.Asked[]) => {
    const at = clock.now();
    return (await rows.takeSlices(db.single, asked, at)).map((given) => ({ ...given, at }));
  };

const unusedOf = (slice: Slice | undefined): Pick<rows.Asked, "unused" | "takenAt"> =>
  slice?.left === undefined || slice.left === 0
    ? { unused: 0, takenAt: undefined }
    : { unused: slice.left, takenAt: slice.takenAt };

const sameMinute = (one: Instant, other: Instant): boolean =>
  Math.floor(one / minuteMs) === Math.floor(other / minuteMs);

/** What is left of the day, as far as this process knows: what others hold may come back. */
function leftOf({ kind, left = 0, given }: Slice, now: Instant): Readonly<Record<string, string>> {
  const { most, used } = given;
  if (most === undefined || used === undefined) return {};
  return headersOf(kind === "token" ? "tokens_day" : "calls_day", { most, left: most - used + left, now });
}
