import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const choices = ["7", "30", "90"] as const;

export const load: PageServerLoad = async (event) => {
  const asked = event.url.searchParams.get("days");
  const days = choices.find((one) => one === asked) ?? "30";
  const api = organizationApi(event);
  const [trend, activity, summary, plan] = await Promise.all([
    must(event, api.tokenTrend({ query: { days } })),
    must(event, api.activity({ query: { days } })),
    must(event, api.agentSummary({ query: { limit: "20" } })),
    must(event, api.plan()),
  ]);
  return {
    days,
    choices,
    trend: trend.data,
    zone: trend.timeZone,
    hours: activity.data,
    busiest: summary.data,
    plan,
  };
};
