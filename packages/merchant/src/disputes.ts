import type { Id } from "@remit/kernel";
import type { Members } from "@remit/protocol";
import { membersOf, type Page, pageOf, queryOf, textOrNull } from "./answers.ts";
import type { Session } from "./session.ts";

const statuses = ["needs_response", "under_review", "won", "lost", "withdrawn"] as const;
export type DisputeStatus = (typeof statuses)[number];

/** That a principal, or the card network for a cardholder, does not accept a charge. `won` and `lost` are the merchant's. */
export type Dispute = {
  readonly id: Id<"dispute">;
  readonly chargeId: Id<"charge">;
  readonly merchantId: Id<"merchant">;
  readonly origin: "principal" | "network";
  readonly status: DisputeStatus;
  readonly reason: string;
  /** Why it ended so; null until then. */
  readonly because: string | null;
  readonly amountMinor: number;
  readonly currency: string;
  /** What is given back of what was lost; the card network takes for itself. */
  readonly refund: "none" | "due" | "done" | "refused";
  readonly openedAt: string;
  /** Until when it may be answered. */
  readonly respondBy: string | null;
  readonly decidedAt: string | null;
  /** What the principal wrote, and what was answered; only where one is read. */
  readonly statement: string | null;
  readonly answer: string | null;
};

export type DisputeSearch = {
  readonly status?: DisputeStatus;
  readonly chargeId?: Id<"charge">;
  readonly limit?: number;
  readonly cursor?: string;
};

/** The disputes about one merchant's charges. */
export type Disputes = {
  list(search?: DisputeSearch): Promise<Page<Dispute>>;
  read(id: Id<"dispute">): Promise<Dispute>;
  /** Once, and before its deadline. What proves the purchase is there by itself. */
  answer(id: Id<"dispute">, text: string): Promise<Dispute>;
  /** Gives it up: the money goes back. */
  accept(id: Id<"dispute">): Promise<Dispute>;
};

export function createDisputes(session: Session): Disputes {
  const path = (id: Id<"dispute">, verb = ""): string => `/api/v1/disputes/${id}${verb}`;
  const read = (body: Parameters<typeof membersOf>[0]): Dispute => disputeIn(membersOf(body, "the dispute"));
  return {
    list: async ({ chargeId, ...search } = {}) => {
      const query = queryOf({ ...search, charge_id: chargeId });
      return pageOf(
        await session.call({ method: "GET", path: `/api/v1/disputes${query}` }),
        "disputes",
        disputeIn,
      );
    },
    read: async (id) => read(await session.call({ method: "GET", path: path(id) })),
    answer: async (id, text) =>
      read(await session.call({ method: "POST", path: path(id, "/evidence"), body: { text } })),
    accept: async (id) => read(await session.call({ method: "POST", path: path(id, "/accept"), body: {} })),
  };
}

const disputeIn = (of: Members): Dispute => ({
  id: of.id("id", "dispute"),
  chargeId: of.id("charge_id", "charge"),
  merchantId: of.id("merchant_id", "merchant"),
  origin: of.oneOf("origin", ["principal", "network"]),
  status: of.oneOf("status", statuses),
  reason: of.text("reason"),
  because: textOrNull(of, "because"),
  amountMinor: of.integer("amount_minor", 1),
  currency: of.text("currency"),
  refund: of.oneOf("refund", ["none", "due", "done", "refused"]),
  openedAt: of.text("opened_at"),
  respondBy: textOrNull(of, "respond_by"),
  decidedAt: textOrNull(of, "decided_at"),
  statement: of.has("statement") ? said(of, "statement") : null,
  answer: of.has("answer") ? said(of, "answer") : null,
});

const saidMax = 10_000;
const said = (of: Members, name: string): string | null =>
  of.get(name) === null ? null : of.text(name, { max: saidMax });
