import { type IdKind, parseId } from "@remit/kernel";
import type { RequestEvent } from "@sveltejs/kit";
import { hostOf } from "#lib/names.ts";
import { apiOf, maybe } from "#lib/server-side.ts";
import type { OrganizationApi } from "../../../../src/api/index.ts";
import { matching } from "../../../../src/showing/index.ts";

type Event = Pick<RequestEvent, "locals" | "url">;

/** What was found: what it is, how it is called, what tells it from others, and its page. */
export type Find = {
  readonly kind: FindKind;
  readonly name: string;
  readonly detail: string;
  readonly href: string;
};
export type FindKind =
  | "agent"
  | "mandate"
  | "charge"
  | "merchant"
  | "approval"
  | "offer"
  | "webhook"
  | "entry"
  | "request"
  | "dispute"
  | "shop";

const ofEachMax = 5;

/** By a whole id the one thing it names, else whatever is called so: one's own, and that of an organization. */
export async function findsOf(
  event: Event,
  { typed, organization: of }: { readonly typed: string; readonly organization: Organization | undefined },
): Promise<Find[]> {
  const act = event.locals.platform.signedIn?.actFor;
  const organization = of === undefined || act === undefined ? undefined : { ...of, api: act(of.id) };
  const isId = /^[a-z]{3}_[0-9a-z]{26}$/.test(typed);
  const found = await Promise.all([
    isId ? ownById(event, typed) : ownByName(event, typed),
    organization === undefined
      ? []
      : isId
        ? organizationById(event, organization, typed)
        : organizationByName(event, organization, typed),
  ]);
  return found.flat();
}

async function ownById(event: Event, id: string): Promise<Find[]> {
  const api = apiOf(event);
  const params = { id };
  if (is("mandate", id)) {
    const one = await maybe(event, api.mandate({ params }));
    return one === undefined
      ? []
      : [{ kind: "mandate", name: one.purpose ?? id, detail: id, href: `/mandates/${id}` }];
  }
  if (is("charge", id)) {
    const one = await maybe(event, api.charge({ params }));
    if (one === undefined) return [];
    return [{ kind: "charge", name: hostOf(one.merchant_origin), detail: id, href: `/activity/${id}` }];
  }
  if (is("approval", id)) {
    const one = await maybe(event, api.approval({ params }));
    return one === undefined ? [] : [{ kind: "approval", name: id, detail: "", href: `/approvals/${id}` }];
  }
  if (!is("agent", id)) return [];
  const one = await maybe(event, api.agent({ params }));
  return one === undefined
    ? []
    : [{ kind: "agent", name: one.name, detail: id, href: `/activity?agent=${id}` }];
}

async function ownByName(event: Event, typed: string): Promise<Find[]> {
  const api = apiOf(event);
  const [agents, mandates, charges] = await Promise.all([
    maybe(event, api.agents({ query: { limit: "100" } })),
    maybe(event, api.mandates({ query: { limit: "100" } })),
    maybe(event, api.charges({ query: { limit: "100" } })),
  ]);
  const nameOf = new Map<string, string>(agents?.data.map(({ id, name }) => [id, name]));
  const merchants = new Map(charges?.data.map((one) => [one.merchant_id, hostOf(one.merchant_origin)]));
  const lists: Find[][] = [
    (agents?.data ?? []).map(({ id, name }) => ({
      kind: "agent",
      name,
      detail: "",
      href: `/activity?agent=${id}`,
    })),
    (mandates?.data ?? []).map(({ id, purpose, agent_id }) => ({
      kind: "mandate",
      name: purpose ?? id,
      detail: nameOf.get(agent_id) ?? "",
      href: `/mandates/${id}`,
    })),
    [...merchants].map(([id, host]) => ({
      kind: "merchant",
      name: host,
      detail: "",
      href: `/activity?merchant=${id}`,
    })),
  ];
  return bestOf(typed, lists);
}

type Organization = { readonly id: string; readonly name: string };
type InOrganization = Organization & { readonly api: OrganizationApi };

/** The page of each kind of thing in an organization's name, and how it is asked for. */
async function organizationById(
  event: Event,
  { api, id: org, name: organization }: InOrganization,
  id: string,
): Promise<Find[]> {
  const params = { id };
  const at = async (kind: FindKind, place: string, asked: Promise<string | undefined>): Promise<Find[]> => {
    const name = await asked;
    return name === undefined
      ? []
      : [{ kind, name, detail: organization, href: `/${place.replace("/", `/${org}/`)}/${id}` }];
  };
  const named = async <T>(asked: Parameters<typeof maybe<T>>[1], nameOf: (one: T) => string) => {
    const one = await maybe(event, asked);
    return one === undefined ? undefined : nameOf(one);
  };
  if (is("agent", id))
    return at(
      "agent",
      "console/agents",
      named(api.agent({ params }), ({ name }) => name),
    );
  if (is("event", id))
    return at(
      "entry",
      "console/audit",
      named(api.auditEntry({ params }), (one) => one.action),
    );
  if (is("request", id))
    return at(
      "request",
      "console/requests",
      named(api.request({ params }), (one) => `${one.method} ${one.route}`),
    );
  if (is("webhook", id))
    return at(
      "webhook",
      "console/webhooks",
      named(api.webhook({ params }), ({ name }) => name),
    );
  if (is("offer", id))
    return at(
      "offer",
      "console/offers",
      named(api.offer({ params }), ({ name }) => name),
    );
  if (is("dispute", id))
    return at(
      "dispute",
      "merchant/disputes",
      named(api.dispute({ params }), () => id),
    );
  if (is("charge", id))
    return at(
      "charge",
      "merchant/charges",
      named(api.soldOne({ params }), () => id),
    );
  return [];
}

async function organizationByName(
  event: Event,
  { api, id: org, name: detail }: InOrganization,
  typed: string,
): Promise<Find[]> {
  const [agents, offers, webhooks, shops] = await Promise.all([
    maybe(event, api.agents({ query: { text: typed, limit: String(ofEachMax) } })),
    maybe(event, api.offers({ query: { limit: "100" } })),
    maybe(event, api.webhooks({ query: { limit: "100" } })),
    maybe(event, api.merchants({ query: { limit: "500" } })),
  ]);
  const root = `/console/${org}`;
  const lists: Find[][] = [
    (offers?.data ?? []).map(({ id, name }) => ({
      kind: "offer",
      name,
      detail,
      href: `${root}/offers/${id}`,
    })),
    (webhooks?.data ?? []).map(({ id, name }) => ({
      kind: "webhook",
      name,
      detail,
      href: `${root}/webhooks/${id}`,
    })),
    (shops?.data ?? []).map((shop) => ({
      kind: "shop",
      name: shop.display_name,
      detail: hostOf(shop.origin),
      href: `/merchant/${org}/charges?merchant=${shop.id}`,
    })),
  ];
  const named = (agents?.data ?? []).map(
    ({ agentId: id, name }): Find => ({ kind: "agent", name, detail, href: `${root}/agents/${id}` }),
  );
  return [...named, ...bestOf(typed, lists)];
}

const bestOf = (typed: string, lists: readonly (readonly Find[])[]): Find[] =>
  lists.flatMap((list) =>
    matching(typed, list, ({ name, detail }) => `${name} ${detail}`).slice(0, ofEachMax),
  );

const is = (kind: IdKind, id: string): boolean => parseId(kind, id) !== undefined;
