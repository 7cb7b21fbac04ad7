import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { idOf, MandateHistory } from "@remit/protocol/contracts";
import { z } from "zod";
import { entriesAbout } from "../audit/index.ts";
import type { Mandates } from "./mandates.operations.ts";
import { noSuchMandate } from "./shown.ts";

const Path = z.strictObject({ id: idOf("mandate") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("event").optional(),
});

/** What happened to a mandate, as the principal's own audit log has it. */
export const historyRoute = ({
  db,
  mandates,
}: {
  readonly db: Database;
  readonly mandates: Mandates;
}): Route =>
  route({
    method: "GET",
    path: "/api/v1/mandates/:id/history",
    summary: "Every change in the life of a mandate, newest first",
    needs: { scope: "wallet:read" },
    params: Path,
    query: Page,
    answers: { 200: MandateHistory, 404: "not_found" },
    handle: async ({ caller }, { params: { id }, query: { limit, cursor } }) => {
      if ((await mandates.find(caller.tenant, id)) === undefined) throw noSuchMandate();
      const page = { subject: id, before: cursor, limit: limit + 1 };
      const found = await db.of(caller.tenant).transaction((tx) => entriesAbout(tx, page));
      const shown = found.slice(0, limit);
      const data = shown.map((entry) => ({
        id: entry.id,
        type: entry.event,
        at: entry.ts,
        actor: { type: entry.actor.type, id: entry.actor.id },
        details: { ...entry.payload },
      }));
      return {
        status: 200,
        body: { data, next_cursor: found.length > limit ? (shown.at(-1)?.id ?? null) : null },
      };
    },
  });
