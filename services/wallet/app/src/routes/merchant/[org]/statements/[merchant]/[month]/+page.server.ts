import { organizationApi, wordIn } from "#lib/console/server.ts";
import { statementIn } from "#lib/console/statements.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const { shop, month, params, query } = await statementIn(event);
  const asked = { ...query, cursor: wordIn(event.url, "cursor") };
  const statement = await must(event, organizationApi(event).statement({ params, query: asked }));
  return { shop, month, statement, further: asked.cursor !== undefined };
};
