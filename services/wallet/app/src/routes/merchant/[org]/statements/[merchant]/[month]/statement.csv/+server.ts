import { organizationApi } from "#lib/console/server.ts";
import { statementIn, statementPaper } from "#lib/console/statements.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

export const GET: RequestHandler = async (event) => {
  const { params, query } = await statementIn(event);
  const bytes = await must(event, organizationApi(event).statementCsv({ params, query }));
  return statementPaper(bytes, event, { type: "text/csv; charset=utf-8", ending: "csv" });
};
