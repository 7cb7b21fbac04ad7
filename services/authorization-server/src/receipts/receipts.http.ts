import { toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { idOf, ReceiptBody } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Receipts } from "./receipts.ts";

/** The principal's side sees its tenant's receipts, a merchant and an agent each their own. */
const mayRead = (caller: Caller, receipt: { agent: string; client: string }): boolean =>
  caller.scopes.has("wallet:read") || caller.client === receipt.agent || caller.client === receipt.client;

/** GET /api/v1/receipts/{id}. */
export const receiptRoutes = (receipts: Receipts): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/receipts/:id",
    summary: "A signed receipt; it verifies offline with the keys at /.well-known/remit-keys",
    needs: { scope: ["wallet:read", "charges:write", "oid4ac:payment"] },
    params: z.strictObject({ id: idOf("receipt") }),
    answers: { 200: ReceiptBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      const receipt = await receipts.find(caller.tenant, params.id);
      if (receipt === undefined || !mayRead(caller, receipt)) throw new Problem("not_found");
      const { id, charge, jwt, issuedAt } = receipt;
      return { status: 200, body: { id, charge_id: charge, receipt: jwt, issued_at: toRfc3339(issuedAt) } };
    },
  }),
];
