import { nothing, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { ToldListing } from "@remit/protocol/contracts";
import { takeIn } from "./listings.ts";

/** Who knows which agents there are. */
const teller = "authorization-server";
// A card has an entry for each of up to 50 capabilities, and a listing holds the card, the document and the capabilities.
const bodyBytesMax = 256 * 1024;

/** Where the directory is told of agents. Nobody else may say which there are. */
export const tellingRoute = ({ db }: { readonly db: Database }): Route =>
  route({
    method: "PUT",
    path: "/api/v1/listings",
    summary: "What the authorization server says of a publisher and one of its agents",
    needs: { scope: "directory:write" },
    body: ToldListing,
    bodyBytesMax,
    answers: { 204: nothing, 403: "client_not_allowed" },
    handle: async ({ caller, now }, { body }) => {
      if (caller.client !== teller)
        throw new Problem("client_not_allowed", { detail: "Only the authorization server tells of agents." });
      await takeIn(db, body, now);
      return { status: 204 };
    },
  });
