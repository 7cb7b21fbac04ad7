import { ChargeStatus, Day, type WalletAgent } from "@remit/protocol/contracts";
import { agentsOf } from "#lib/agents.ts";
import { apiOf, maybe, must, viewsOf } from "#lib/server-side.ts";
import { momentsOf } from "../../../../../src/showing/index.ts";
import type { PageServerLoad } from "./$types.ts";

const shown = ["captured", "pending_approval", "declined", "released", "refunded", "disputed"] as const;

/** What the address says is what is shown: it can be kept, sent and gone back to. */
export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const asked = event.url.searchParams;
  const given = (name: string): string | undefined => asked.get(name) || undefined;
  const filter = {
    status: ChargeStatus.safeParse(asked.get("status")).data,
    q: given("q")?.slice(0, 200),
    mandate: given("mandate"),
    agent: given("agent"),
    merchant: given("merchant"),
    category: given("category"),
    since: Day.safeParse(asked.get("since")).data,
    until: Day.safeParse(asked.get("until")).data,
  };
  const of = {
    mandate_id: filter.mandate,
    agent_id: filter.agent,
    merchant_id: filter.merchant,
    category: filter.category,
  };
  const sums = (by: string) =>
    maybe(event, api.spending({ query: { by, since: filter.since, until: filter.until, ...of } }));
  const isNarrow = filter.status !== undefined || filter.q !== undefined || asked.has("cursor");
  const [charges, agents, views, day, agent, merchant, category] = await Promise.all([
    must(
      event,
      api.charges({
        query: {
          limit: "50",
          cursor: given("cursor"),
          status: filter.status,
          q: filter.q,
          ...of,
          ...momentsOf(filter),
        },
      }),
    ),
    must(event, api.agents({ query: { limit: "100" } })),
    viewsOf(event),
    ...(["day", "agent", "merchant", "category"] as const).map((by) => (isNarrow ? undefined : sums(by))),
  ]);
  const named = [
    ...(agent?.data.map(({ key }) => key) ?? []),
    ...(filter.agent === undefined ? [] : [filter.agent]),
  ].map((agent_id) => ({ agent_id }));
  const shops = [
    ...(merchant?.data.slice(0, 6).map(({ key }) => key) ?? []),
    ...(filter.merchant === undefined ? [] : [filter.merchant]),
  ];
  return {
    charges: charges.data,
    next: charges.next_cursor,
    agents: withNamed(agents.data, await agentsOf(event, charges.data, named)),
    filter,
    views,
    statuses: shown,
    sums:
      day === undefined || agent === undefined || merchant === undefined || category === undefined
        ? undefined
        : { day, agent, merchant, category },
    merchants: await namesOf(event, shops),
  };
};

/** Those one may choose among, and those that are named beside them. */
const withNamed = (some: readonly WalletAgent[], named: readonly WalletAgent[]): readonly WalletAgent[] => [
  ...new Map([...some, ...named].map((one) => [one.id, one])).values(),
];

/** As the directory lists them; one that it does not know is shown by its id. */
async function namesOf(
  event: Parameters<PageServerLoad>[0],
  ids: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const api = apiOf(event);
  const found = await Promise.all(
    [...new Set(ids)].map(async (id) => [id, await maybe(event, api.merchant({ params: { id } }))] as const),
  );
  return Object.fromEntries(
    found.flatMap(([id, one]) => (one === undefined ? [] : [[id, one.display_name]])),
  );
}
