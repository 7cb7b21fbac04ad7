import { DisputeStatus } from "@remit/protocol/contracts";
import { oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const status = oneOf(event.url, "status", DisputeStatus.options);
  const query = { status, cursor: wordIn(event.url, "cursor"), limit: "50" };
  const { data, next_cursor: next } = await must(event, organizationApi(event).disputes({ query }));
  return { rows: data, next, status, statuses: DisputeStatus.options };
};
