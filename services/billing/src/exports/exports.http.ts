import { toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { RevokedToken, RevokeToken } from "@remit/protocol/contracts";
import { z } from "zod";
import type { IssuedToken } from "../stripe/index.ts";

export type RevocationDeps = {
  readonly tokenOf: (id: string) => Promise<IssuedToken | undefined>;
  /** Throws `unavailable`; one that is over already stays as it is. */
  readonly revoke: (id: string) => Promise<void>;
};

/** Tokens that were issued for exports, ended for the authorization server when their principal wants them back. */
export const issuedTokenRoutes = (deps: RevocationDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/issued-tokens/:token/revoke",
    summary:
      "Ends the token that was issued for an export: nothing new is authorised with it. Again, it changes nothing.",
    needs: { scope: "payments:execute" },
    criticality: "critical",
    params: z.strictObject({ token: z.string().regex(/^\w{1,256}$/) }),
    body: RevokeToken,
    answers: { 200: RevokedToken, 403: "client_not_allowed", 404: "not_found", 503: "unavailable" },
    handle: async ({ caller }, { params: { token }, body }) => {
      if (caller.client !== "authorization-server") throw new Problem("client_not_allowed");
      const found = await deps.tokenOf(token);
      // Another export's, or somebody's who is none of ours: nothing that we may end.
      if (found?.metadata["remit_export"] !== body.export) throw new Problem("not_found");
      if (found.over === undefined) await deps.revoke(token);
      const over = found.over ?? (await deps.tokenOf(token))?.over;
      if (over === undefined)
        throw new Problem("unavailable", { private: { token, revoked: "and yet it goes on" } });
      return { status: 200, body: { revoked_at: toRfc3339(over.at) } };
    },
  }),
];
