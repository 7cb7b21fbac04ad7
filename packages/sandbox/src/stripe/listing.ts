import type { Form } from "./form.ts";
import type { Call, Page } from "./operation.ts";
import { badParameter } from "./refusal.ts";
import type { ResourceName, ResourceOf } from "./resources.ts";

/** A page of the objects of a kind, newest first, as Stripe's lists are: `limit`, `starting_after`, `created[gte]`. */
export function pageOf<N extends ResourceName>(
  { draft, parameters }: Call,
  of: { readonly object: N; readonly url: string; readonly keep?: (resource: ResourceOf<N>) => boolean },
): Page {
  const limit = parameters.integer("limit") ?? 10;
  if (limit < 1 || limit > 100) throw badParameter("limit", "limit must be between 1 and 100.");
  const after = parameters.text("starting_after");
  const created = createdWithin(parameters.group("created"));
  const found = draft
    .stored(of.object)
    .filter((resource) => created(resource.created) && (of.keep?.(resource) ?? true))
    .reverse();
  const start = after === undefined ? 0 : found.findIndex((resource) => resource.id === after) + 1;
  const data = found.slice(start, start + limit);
  return { object: "list", url: of.url, has_more: found.length > start + limit, data };
}

function createdWithin(range: Form | undefined): (created: number) => boolean {
  const bounds = Object.entries(range ?? {}).map(([name, text]) => {
    if (typeof text !== "string" || !/^\d{1,12}$/.test(text))
      throw badParameter("created", "Invalid timestamp.");
    const at = Number(text);
    switch (name) {
      case "gt":
        return (created: number) => created > at;
      case "gte":
        return (created: number) => created >= at;
      case "lt":
        return (created: number) => created < at;
      case "lte":
        return (created: number) => created <= at;
      default:
        throw badParameter(`created[${name}]`, `Received unknown parameter: created[${name}]`);
    }
  });
  return (created) => bounds.every((within) => within(created));
}
