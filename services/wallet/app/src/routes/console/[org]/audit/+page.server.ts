import { organizationApi, wordIn } from "#lib/console/server.ts";
import { must, refused, viewsOf } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

const length = 50;

export const load: PageServerLoad = async (event) => {
  const { url } = event;
  const filter = {
    action: wordIn(url, "action"),
    agentId: wordIn(url, "agent"),
    subject: wordIn(url, "subject"),
    fromDate: wordIn(url, "from"),
    toDate: wordIn(url, "to"),
  };
  const page = Math.min(10_000, Math.max(1, Math.trunc(Number(url.searchParams.get("page"))) || 1));
  const query = { ...filter, page: String(page), limit: String(length) };
  const [found, views] = await Promise.all([
    must(event, organizationApi(event).audit({ query })),
    viewsOf(event),
  ]);
  return {
    rows: found.data.map((entry) => ({
      id: String(entry["id"]),
      seq: entry.seq,
      at: entry.ts,
      name: entry.event,
      by: entry.actor.type,
      actor: entry.actor.id,
      subject: typeof entry["subject"] === "string" ? entry["subject"] : "",
    })),
    gaps: found.gaps.length,
    total: found.total ?? 0,
    page,
    length,
    filter,
    views,
  };
};

export const actions = {
  verify: async (event) => {
    const answer = await organizationApi(event).verifyAudit();
    return answer.ok ? { verdict: answer.value } : refused(event, answer.refusal);
  },
} satisfies Actions;
