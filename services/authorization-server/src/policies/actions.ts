import { invariant } from "@remit/kernel";
import type { Route } from "@remit/platform/http";
import { managementScopes } from "@remit/protocol";
import type { Entity } from "./port.ts";

const nouns: Readonly<Record<string, string>> = {
  agents: "Agent",
  audit: "Event",
  clients: "Client",
  credentials: "Credential",
  deliveries: "Delivery",
  mandates: "Mandate",
  members: "Account",
  organizations: "Organization",
  policies: "Policy",
  streams: "Stream",
  trusts: "Trust",
  webhooks: "Webhook",
};

/** A call that can be decided on: one declared route. */
export type Action = {
  /** `DELETE:/api/v1/agents/:id`, as the AgentIdP's `endpoint_permissions` writes it. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly scopes: readonly string[];
  readonly managed: boolean;
  /** `read` or `write`, and the noun that its address begins with. */
  readonly groups: readonly string[];
  readonly resourceType: string;
};

export type Actions = ReadonlyMap<string, Action>;

/** The scope map: read off the routes themselves, so that it says what they do. */
export const actionsOf = (routes: readonly Route[]): Actions =>
  new Map(routes.map((route) => actionOf(route)).map((action) => [action.name, action]));

function actionOf({ method, path, needs }: Route): Action {
  const scopes = needs === "public" ? [] : [needs.scope].flat();
  // A call under both of its names is one noun, or a policy on the one is passed by under the other.
  const noun = path.replace(/^\/(?:(?:api\/v1|oauth2)\/)?/, "").split("/", 1)[0] ?? "";
  invariant(noun !== "", "the address of every call that can be decided on begins with a noun");
  return {
    name: `${method}:${path}`,
    method,
    path,
    scopes,
    managed: scopes.some((scope) => managementScopes.has(scope)),
    groups: [method === "GET" ? "read" : "write", noun],
    resourceType: entitiesIn(path).at(-1)?.type ?? "Organization",
  };
}

/** Only one of them is needed of those that a route names. */
export const grants = ({ scopes }: Action, held: readonly string[]): boolean =>
  scopes.some((scope) => held.includes(scope));

type Placed = { readonly type: string; readonly param: string };

function entitiesIn(path: string): Placed[] {
  const parts = path.split("/");
  return parts.flatMap((part, at) =>
    part.startsWith(":") ? [{ type: nouns[parts[at - 1] ?? ""] ?? "Object", param: part.slice(1) }] : [],
  );
}

/** The thing a call is about, and what that is within: an address names the outer one first. The tenant is around all. */
export function resourceOf(
  { path }: Pick<Action, "path">,
  params: Readonly<Record<string, string>>,
  tenant: string,
): Entity & { readonly within: readonly Entity[] } {
  const organization: Entity = { type: "Organization", id: tenant };
  const named = entitiesIn(path)
    .map(({ type, param }): Entity => ({ type, id: params[param] ?? "" }))
    .toReversed();
  const [one, ...around] = named;
  if (one === undefined) return { ...organization, within: [] };
  // An organization is not within itself: Cedar refuses to decide anything where there is a circle.
  const within = [...around, organization].filter(({ type, id }) => type !== one.type || id !== one.id);
  return { ...one, within };
}

/** The scope map as data, in the AgentIdP's shape. */
export const endpointPermissions = (actions: Actions): Record<string, string[]> =>
  Object.fromEntries(
    [...actions.values()]
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map(({ name, scopes }): [string, string[]] => [name, [...scopes]]),
  );
