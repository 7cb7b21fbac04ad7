import type { Clock } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { MerchantEntry, OffersFileRefused } from "../offers/index.ts";
import type { MerchantRow } from "./merchants.sql.ts";
import { type MerchantDeps, putMerchant } from "./merchants.ts";
import type { Shelf } from "./shelf.ts";

type Deps = MerchantDeps & { readonly clock: Clock; readonly shelf: Pick<Shelf, "refresh"> };

const MerchantPath = z.strictObject({ id: idOf("merchant") });
const MerchantInput = MerchantEntry.omit({ id: true });
const MerchantShown = z.object({
  id: idOf("merchant"),
  tenant_id: z.string(),
  origin: z.string(),
  client_id: z.string(),
});

/** At which origins this gateway sells, and with whose keys: for its operator alone. */
export const merchantRoutes = (deps: Deps): Route[] => [
  route({
    method: "PUT",
    path: "/api/v1/merchants/:id",
    summary:
      "Answer at a merchant's origin with its keys, and let it be paid on its accounts; secrets are never shown",
    needs: { scope: "admin:orgs" },
    params: MerchantPath,
    body: MerchantInput,
    answers: {
      200: MerchantShown,
      400: "invalid_request",
      403: "client_not_allowed",
      409: "merchant_origin_taken",
      422: "offer_refused",
      503: "unavailable",
    },
    handle: async ({ now }, { params: { id }, body }) => {
      const row = await putMerchant(deps, { ...body, id }, now).catch(refusal);
      await deps.shelf.refresh();
      return { status: 200, body: shown(row) };
    },
  }),
];

/** What cannot be read, in words that show no key. */
function refusal(error: unknown): never {
  if (!(error instanceof OffersFileRefused)) throw error;
  throw new Problem("offer_refused", { detail: error.message, cause: error });
}

const shown = ({ id, tenant_id, origin, client_id }: MerchantRow): z.input<typeof MerchantShown> => ({
  id,
  tenant_id,
  origin,
  client_id,
});
