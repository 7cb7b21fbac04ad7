import { type Id, minuteMs } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { type ChargeSide, clientOfSold } from "../charges/index.ts";
import { type EvidenceDeps, evidenceOf } from "./packs.ts";

const Path = z.strictObject({ id: idOf("charge") });
const Archive = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array)
  .meta({ contentMediaType: "application/zip", description: "A signed archive; `remit evidence verify`" });

/** What proves a purchase, for its payer and for its payee. */
export const evidenceRoutes = (deps: EvidenceDeps): Route[] => [
  packRoute(deps, {
    path: "/api/v1/wallet/charges/:id/evidence",
    scope: "wallet:read",
    sideOf: async ({ tenant }) => ({ side: "payer", tenant, agent: undefined }),
  }),
  packRoute(deps, {
    path: "/api/v1/charges/:id/evidence",
    scope: ["charges:write", "billing:read"],
    // A merchant's client for what it charged, its organization's people for what any of its shops did.
    sideOf: async ({ tenant, client, scopes }, id) => {
      const own = scopes.has("charges:write") ? client : await clientOfSold(deps, { tenant, id });
      return own === undefined ? undefined : { side: "payee", tenant, client: own };
    },
  }),
];

type Door = {
  readonly path: string;
  readonly scope: "wallet:read" | readonly ["charges:write", "billing:read"];
  readonly sideOf: (caller: Caller, id: Id<"charge">) => Promise<ChargeSide | undefined>;
};

const packRoute = (deps: EvidenceDeps, { path, scope, sideOf }: Door): Route =>
  route({
    method: "GET",
    path,
    summary: "Everything that proves a captured charge, as one signed archive that verifies offline",
    needs: { scope },
    limit: { count: 60, windowMs: minuteMs, by: "tenant" },
    params: Path,
    types: ["application/zip"],
    answers: { 200: Archive, 404: "not_found", 409: ["evidence_not_ready", "evidence_incomplete"] },
    handle: async ({ caller }, { params: { id } }) => {
      const side = await sideOf(caller, id);
      const archive = side && (await evidenceOf(deps, side, id));
      if (archive === undefined) throw new Problem("not_found", { detail: "There is no such charge." });
      const headers = {
        "content-type": "application/zip",
        "content-disposition": `attachment; filename="${id}-evidence.zip"`,
        "cache-control": "no-store",
      };
      return { status: 200, headers, body: archive };
    },
  });
