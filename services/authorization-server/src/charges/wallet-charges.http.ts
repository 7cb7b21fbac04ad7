import { fromRfc3339, type Instant, parseId, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { ChargeStatus, idOf, Timestamp, WalletCharge, WalletChargeList } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Receipts } from "../receipts/index.ts";
import type { Charge } from "./charges.ts";
import { wordsIn } from "./found-by.ts";
import { paidBy, paidOne } from "./wallet-charges.ts";

const Path = z.strictObject({ id: idOf("charge") });
const Search = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("charge").optional(),
  mandate_id: idOf("mandate").optional(),
  agent_id: idOf("agent").optional(),
  merchant_id: idOf("merchant").optional(),
  status: ChargeStatus.optional(),
  category: z.string().min(1).max(64).optional(),
  /** A charge's number; or words, each of which stands in the merchant's address or name or in what was bought. */
  q: z.string().max(200).optional(),
  /** Charges made from then on. */
  since: Timestamp.optional(),
  /** Charges made before then. */
  until: Timestamp.optional(),
});

type Deps = { readonly db: Database; readonly receipts: Pick<Receipts, "jwtOf"> };

/** Charges as who pays them sees them. */
export const walletChargeRoutes = (deps: Deps): Route[] => [searchRoute(deps), readRoute(deps)];

const searchRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/charges",
    summary: "What the caller's tenant has paid or is paying, newest first",
    needs: { scope: "wallet:read" },
    query: Search,
    answers: { 200: WalletChargeList },
    handle: async ({ caller }, { query }) => {
      const {
        limit,
        cursor,
        mandate_id: mandate,
        agent_id: agent,
        merchant_id: merchant,
        status: state,
        category,
        q = "",
      } = query;
      const filter = {
        mandate,
        agent,
        merchant,
        state,
        category,
        sought: parseId("charge", q.trim()) ?? wordsIn(q),
        since: timeOf(query.since),
        until: timeOf(query.until),
      };
      const page = { before: cursor, limit: limit + 1 };
      const found = await paidBy(db.of(caller.tenant), filter, page);
      const shown = found.slice(0, limit);
      const next = found.length > limit ? (shown.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data: shown.map((one) => bodyOf(one, undefined)), next_cursor: next } };
    },
  });

const readRoute = ({ db, receipts }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/charges/:id",
    summary: "One charge as who pays it sees it, with its receipt once captured",
    needs: { scope: "wallet:read" },
    params: Path,
    answers: { 200: WalletCharge, 404: "not_found" },
    handle: async ({ caller }, { params: { id } }) => {
      const found = await paidOne(db.of(caller.tenant), receipts, id);
      if (found === undefined) throw new Problem("not_found", { detail: "There is no such charge." });
      return { status: 200, body: bodyOf(found.charge, found.receipt) };
    },
  });

const timeOf = (text: string | undefined): Instant | undefined =>
  text === undefined ? undefined : fromRfc3339(text);

const orNull = (at: Instant | undefined): string | null => (at === undefined ? null : toRfc3339(at));

const bodyOf = (charge: Charge, receipt: string | undefined): z.input<typeof WalletCharge> => ({
  id: charge.id,
  status: charge.state,
  mandate_id: charge.mandate,
  agent_id: charge.agent,
  merchant_id: charge.merchant,
  merchant_origin: charge.merchantOrigin,
  amount_minor: Number(charge.amount.units),
  captured_minor: charge.capturedAt === undefined ? 0 : Number(charge.capture?.units ?? 0n),
  refunded_minor: Number(charge.refunded.units),
  currency: charge.amount.asset.code,
  rail: charge.rail,
  instrument_id: charge.instrument ?? null,
  payment_reference: charge.paymentReference ?? null,
  because: charge.because ?? null,
  offer_id: charge.offer.id,
  offer_digest: charge.offer.digest,
  livemode: charge.livemode,
  created_at: toRfc3339(charge.createdAt),
  authorized_at: orNull(charge.authorizedAt),
  captured_at: orNull(charge.capturedAt),
  serve_by: toRfc3339(charge.serveBy),
  capture_by: toRfc3339(charge.captureBy),
  receipt_id: charge.receipt ?? null,
  ...(receipt === undefined ? {} : { receipt }),
});
