import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type SliceKind = "token" | "call";

/** What a process wants of an organization's allowance, and what it gives back of a former slice. */
export type Asked = {
  readonly tenant: Id<"tenant">;
  readonly kind: SliceKind;
  /** At most; 0 only gives back. */
  readonly wanted: number;
  readonly unused: number;
  readonly takenAt: Instant | undefined;
};

/** A window that is used up: of what, how much there was, and how much was taken. */
export type SpentWindow = "tokens_day" | "tokens_month" | "calls_day" | "requests_minute";

export type Given = {
  /** Undefined is any number, until asked again. */
  readonly slice: number | undefined;
  readonly spent: SpentWindow | undefined;
  readonly most: number | undefined;
  readonly used: number | undefined;
};

type Row = {
  readonly place: number;
  readonly slice: bigint | null;
  readonly spent_window: SpentWindow | null;
  readonly most: bigint | null;
  readonly used: bigint | null;
};

const numberOf = (value: bigint | null): number | undefined => (value === null ? undefined : Number(value));

/** One statement for all; each is answered, in order. */
export async function takeSlices(db: Sql, asked: readonly Asked[], now: Instant): Promise<Given[]> {
  const given = asked.map(({ tenant, kind, wanted, unused, takenAt }, place) => ({
    place,
    tenant,
    kind,
    wanted,
    unused,
    taken_at: takenAt === undefined ? null : sqlTime(takenAt),
  }));
  const rows = await db.many<Row>(
    sql`select * from take_slices(${JSON.stringify(given)}::jsonb, ${sqlTime(now)}) order by place`,
  );
  return rows.map(({ slice, spent_window, most, used }) => ({
    slice: numberOf(slice),
    spent: spent_window ?? undefined,
    most: numberOf(most),
    used: numberOf(used),
  }));
}
