import { type Id, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import { base64url, Problem } from "@remit/protocol";
import { idOf, ReceiptBody, type ReceiptProof } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Stapled } from "../audit/index.ts";
import type { Receipts } from "./receipts.ts";

/** The principal's side sees its tenant's receipts, a merchant and an agent each their own. */
const mayRead = (caller: Caller, receipt: { agent: string; client: string }): boolean =>
  caller.scopes.has("wallet:read") || caller.client === receipt.agent || caller.client === receipt.client;

/** GET /api/v1/receipts/{id}. */
export const receiptRoutes = (
  receipts: Receipts,
  stapled: (tenant: Id<"tenant">, charge: Id<"charge">) => Promise<Stapled | undefined>,
): Route[] => [
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
      const found = await stapled(caller.tenant, charge);
      const proof = found === undefined ? null : proofBody(found);
      const told = { id, charge_id: charge, receipt: jwt, issued_at: toRfc3339(issuedAt), proof };
      return { status: 200, body: told };
    },
  }),
];

/** A proof as it goes along with a receipt. */
export const proofBody = ({ entry, index, leaf, size, root, hashes, checkpoint }: Stapled) => ({
  // The contract checks the members by which an entry is linked, and lets all others pass.
  entry: entry as unknown as z.input<typeof ReceiptProof>["entry"],
  leaf_index: index,
  leaf: base64url.encode(leaf),
  tree_size: size,
  root_hash: base64url.encode(root),
  hashes: hashes.map((hash) => base64url.encode(hash)),
  checkpoint,
});
