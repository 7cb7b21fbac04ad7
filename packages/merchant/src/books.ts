import { type Clock, type Id, systemClock } from "@remit/kernel";
import type { Members } from "@remit/protocol";
import { listOf, membersOf, type Page, pageOf, queryOf, signed, textOrNull } from "./answers.ts";
import { createSession, type SecretKeys, type Session } from "./session.ts";
import type { Fetch } from "./wire.ts";

export type BooksOptions = {
  /** Origin of the authorization server. */
  readonly issuer: string;
  /** Origin of billing, which keeps the books. */
  readonly billing: string;
  /** An API key of the organization that may see its fees, invoices and statements (`billing:read`). */
  readonly clientId: string;
  /** Its secret, and the key that its tokens are bound to: any that is kept (`generateKey`). */
  readonly keys: SecretKeys;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
};

const accountStatuses = ["waiting", "checking", "delayed", "active", "restricted", "replaced"] as const;
/** Where a merchant is paid: its account at the card processor. */
export type PayoutAccount = {
  readonly id: Id<"destination">;
  readonly merchantId: Id<"merchant">;
  readonly country: string;
  readonly status: (typeof accountStatuses)[number];
  /** What the processor calls it. */
  readonly reference: string | null;
  readonly payoutsEnabled: boolean;
  /** From when on money goes there; null until the processor accepts it. */
  readonly effectiveFrom: string | null;
};

const payoutStatuses = ["pending", "in_transit", "paid", "failed", "canceled"] as const;
/** The processor's paying out of an account to the merchant's bank. */
export type Payout = {
  readonly id: Id<"payout">;
  readonly accountId: Id<"destination">;
  readonly merchantId: Id<"merchant">;
  readonly reference: string;
  readonly status: (typeof payoutStatuses)[number];
  readonly amountMinor: number;
  readonly currency: string;
  readonly createdAt: string;
  readonly arrivesAt: string;
  readonly failure: string | null;
};

export type Sum = { readonly currency: string; readonly amountMinor: number };

/** What stands in the books: owed to the merchant (below zero, by it), and fees that are asked for by invoice. */
export type MerchantBalance = {
  readonly merchantId: Id<"merchant">;
  readonly currency: string;
  readonly owedMinor: number;
  readonly feesDueMinor: number;
};

/** RFC 3339; `until` is no part of it. */
export type StatementPeriod = {
  readonly merchantId: Id<"merchant">;
  readonly currency: string;
  readonly from: string;
  readonly until: string;
};

const kinds = ["charge", "refund", "dispute", "payout", "adjustment"] as const;
export type StatementKind = (typeof kinds)[number];

type Moved = { readonly grossMinor: number; readonly feeMinor: number; readonly netMinor: number };
export type StatementTotal = Moved & { readonly kind: StatementKind; readonly count: number };
export type StatementLine = Moved & {
  /** The entry of the ledger that it is. */
  readonly entryId: Id<"entry">;
  readonly kind: StatementKind;
  readonly object: string;
  readonly transition: string;
  readonly chargeId: string | null;
  readonly postedAt: string;
  /** What is owed with this line. */
  readonly balanceMinor: number;
};

/** Opening balance and the nets of all lines make the closing balance. Lines are in pages of 500. */
export type Statement = StatementPeriod & {
  readonly openingMinor: number;
  readonly closingMinor: number;
  readonly totals: readonly StatementTotal[];
  readonly lines: Page<StatementLine>;
};

/** What an organization's merchants are owed, were paid, and why. */
export type Books = {
  /** All of them, however many pages they take; each merchant's newest first. */
  payoutAccounts(): Promise<readonly PayoutAccount[]>;
  /** What stands on it at the processor now. */
  balanceOf(
    account: Id<"destination">,
  ): Promise<{ readonly available: readonly Sum[]; readonly pending: readonly Sum[] }>;
  payouts(search?: { merchantId?: Id<"merchant">; cursor?: string }): Promise<Page<Payout>>;
  balances(): Promise<readonly MerchantBalance[]>;
  statement(period: StatementPeriod, cursor?: string): Promise<Statement>;
  /** Every line of it, however many pages they take. */
  statementLines(period: StatementPeriod): AsyncGenerator<StatementLine>;
  statementFile(period: StatementPeriod, type: "text/csv" | "application/pdf"): Promise<Uint8Array>;
};

/** Reads an organization's books with an API key of it. Nothing here moves money. */
export function createBooks(options: BooksOptions): Books {
  const { billing: at, fetch: fetchAny = (url, init) => fetch(url, init) } = options;
  const session = createSession({
    clock: systemClock,
    ...options,
    fetch: fetchAny,
    at,
    scope: "billing:read",
  });
  const get = (path: string) => session.call({ method: "GET", path, bytesMax: statementBytesMax });
  return {
    payoutAccounts: async () => {
      const all: PayoutAccount[] = [];
      let cursor: string | undefined;
      do {
        const page = await get(`/api/v1/payout-accounts${queryOf({ limit: "500", cursor })}`);
        const { data, nextCursor } = pageOf(page, "payout accounts", accountIn);
        all.push(...data);
        cursor = nextCursor ?? undefined;
      } while (cursor !== undefined);
      return all;
    },
    balanceOf: async (account) => {
      const of = membersOf(await get(`/api/v1/payout-accounts/${account}/balance`), "the balance");
      return { available: sumsIn(of, "available"), pending: sumsIn(of, "pending") };
    },
    payouts: async ({ merchantId: merchant, cursor } = {}) =>
      pageOf(await get(`/api/v1/payouts${queryOf({ merchant, cursor })}`), "payouts", payoutIn),
    balances: async () => listOf(await get("/api/v1/merchant-balances"), "balances", balanceIn),
    ...statementsOf(session, get),
  };
}

// 500 lines of some hundred letters, and whole files of years.
const statementBytesMax = 64 * 1024 * 1024;

type Get = (path: string) => ReturnType<Session["call"]>;

function statementsOf(
  session: Session,
  get: Get,
): Pick<Books, "statement" | "statementLines" | "statementFile"> {
  const pathOf = (
    { merchantId, currency, from, until }: StatementPeriod,
    { part = "", cursor }: { part?: string; cursor?: string | undefined } = {},
  ): string => `/api/v1/statements/${merchantId}${part}${queryOf({ currency, from, until, cursor })}`;
  const statement = async (period: StatementPeriod, cursor?: string): Promise<Statement> =>
    statementIn(membersOf(await get(pathOf(period, { cursor })), "the statement"));
  return {
    statement,
    async *statementLines(period) {
      let cursor: string | undefined;
      do {
        const { lines } = await statement(period, cursor);
        yield* lines.data;
        cursor = lines.nextCursor ?? undefined;
      } while (cursor !== undefined);
    },
    statementFile: (period, type) =>
      session.file({
        method: "GET",
        path: pathOf(period, { part: type === "text/csv" ? "/csv" : "/pdf" }),
        type,
        bytesMax: statementBytesMax,
      }),
  };
}

const accountIn = (of: Members): PayoutAccount => ({
  id: of.id("id", "destination"),
  merchantId: of.id("merchant", "merchant"),
  country: of.text("country"),
  status: of.oneOf("status", accountStatuses),
  reference: textOrNull(of, "reference"),
  payoutsEnabled: of.flag("payouts_enabled"),
  effectiveFrom: textOrNull(of, "effective_from"),
});

const payoutIn = (of: Members): Payout => ({
  id: of.id("id", "payout"),
  accountId: of.id("account", "destination"),
  merchantId: of.id("merchant", "merchant"),
  reference: of.text("reference"),
  status: of.oneOf("status", payoutStatuses),
  amountMinor: signed(of, "amount_minor"),
  currency: of.text("currency"),
  createdAt: of.text("created_at"),
  arrivesAt: of.text("arrives_at"),
  failure: textOrNull(of, "failure"),
});

const sumsMax = 200;
const sumsIn = (of: Members, name: string): readonly Sum[] =>
  of
    .list(name, sumsMax)
    .map((one) => membersOf(one, name))
    .map((sum) => ({ currency: sum.text("currency"), amountMinor: signed(sum, "amount_minor") }));

const balanceIn = (of: Members): MerchantBalance => ({
  merchantId: of.id("merchant", "merchant"),
  currency: of.text("currency"),
  owedMinor: signed(of, "owed_minor"),
  feesDueMinor: signed(of, "fees_due_minor"),
});

const movedIn = (of: Members): Moved => ({
  grossMinor: signed(of, "gross_minor"),
  feeMinor: signed(of, "fee_minor"),
  netMinor: signed(of, "net_minor"),
});

const linesMax = 1_000;
const statementIn = (of: Members): Statement => ({
  merchantId: of.id("merchant", "merchant"),
  currency: of.text("currency"),
  from: of.text("from"),
  until: of.text("until"),
  openingMinor: signed(of, "opening_minor"),
  closingMinor: signed(of, "closing_minor"),
  totals: of
    .list("totals", kinds.length)
    .map((one) => membersOf(one, "a total"))
    .map((total) => ({
      kind: total.oneOf("kind", kinds),
      count: total.integer("count", 0),
      ...movedIn(total),
    })),
  lines: {
    data: of.list("lines", linesMax).map((one) => lineIn(membersOf(one, "a line"))),
    nextCursor: textOrNull(of, "next_cursor"),
  },
});

const lineIn = (of: Members): StatementLine => ({
  entryId: of.id("entry", "entry"),
  kind: of.oneOf("kind", kinds),
  object: of.text("object"),
  transition: of.text("transition"),
  chargeId: textOrNull(of, "charge"),
  postedAt: of.text("posted_at"),
  ...movedIn(of),
  balanceMinor: signed(of, "balance_minor"),
});
