import type { RequestEvent } from "@sveltejs/kit";
import { apiOf, must, nothingHere, refused } from "#lib/server-side.ts";
import type { AnswerTo, OrganizationApi, Result } from "../../../../src/api/index.ts";

type Event = Pick<RequestEvent, "locals" | "url" | "params">;

/** The APIs in the name of the organization in the address; of one that the person does not act for nothing is found. */
export function organizationApi(event: Event): OrganizationApi {
  apiOf(event);
  const { signedIn } = event.locals.platform;
  if (signedIn === undefined) throw new TypeError("whoever is not signed in has been sent to sign in");
  return signedIn.actFor(event.params["org"] ?? "");
}

export type Membership = AnswerTo<"memberships">["data"][number];

/** Where the person belongs, and the one of it that the address names. */
export async function membershipsOf(
  event: Event,
): Promise<{ readonly all: readonly Membership[]; readonly here: Membership }> {
  const { data: all } = await must(event, apiOf(event).memberships());
  const here = all.find(({ organizationId }) => organizationId === event.params["org"]);
  if (here === undefined) nothingHere(event);
  return { all, here };
}

/** What the frame of every page of an organization shows. */
export async function frameOf(event: Event) {
  const { all, here } = await membershipsOf(event);
  const { name, email } = event.locals.platform.signedIn?.person ?? { name: "", email: "" };
  const organizations = all.map((one) => ({ id: one.organizationId, name: one.name }));
  return { who: name === "" ? email : name, organizations, organization: here };
}

type Acted = { readonly api: OrganizationApi; readonly form: FormData; readonly event: RequestEvent };

/** A form of a page: what it does, in the organization's name, and the word for having done it. */
export const does =
  <D extends string>(done: D, run: (acted: Acted) => Promise<Result<unknown>>) =>
  async (event: RequestEvent) => {
    const form = await event.request.formData();
    const answer = await run({ api: organizationApi(event), form, event });
    return answer.ok ? { done } : refused(event, answer.refusal);
  };

/** A form whose answer is shown once and kept nowhere, such as a secret. */
export const reveals =
  <D extends string, T>(done: D, run: (acted: Acted) => Promise<Result<T>>, shown: (answer: T) => string) =>
  async (event: RequestEvent) => {
    const form = await event.request.formData();
    const answer = await run({ api: organizationApi(event), form, event });
    return answer.ok ? { done, secret: shown(answer.value) } : refused(event, answer.refusal);
  };

/** A filter of the address, when it is one of those there are. */
export function oneOf<T extends string>(url: URL, name: string, known: readonly T[]): T | undefined {
  const asked = url.searchParams.get(name);
  return known.find((one) => one === asked);
}

/** A word of the address; undefined when it is not there or empty. */
export const wordIn = (url: URL, name: string): string | undefined =>
  url.searchParams.get(name)?.trim() || undefined;

type Page<T> = { readonly data: readonly T[]; readonly next_cursor: string | null };

/** All of a list that comes in pages; up to the one that is not answered. */
export async function allPages<T>(
  ask: (cursor: string | undefined) => Promise<Page<T> | undefined>,
): Promise<T[]> {
  const found: T[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await ask(cursor);
    found.push(...(page?.data ?? []));
    if (page === undefined || page.next_cursor === null) return found;
    cursor = page.next_cursor;
  }
}

/** As the directory has them: all shops of the organization in the address. */
export const merchantsOf = (event: Event) =>
  allPages((cursor) => must(event, organizationApi(event).merchants({ query: { limit: "500", cursor } })));

export type Shop = { readonly id: string; readonly name: string; readonly country: string };

/** The organization's shops, and the one that the address names or the first. */
export async function shopsOf(event: Event): Promise<{ readonly shops: Shop[]; readonly shop?: Shop }> {
  const shops = (await merchantsOf(event)).map(({ id, display_name: name, country }) => ({
    id: id as string,
    name,
    country,
  }));
  const asked = wordIn(event.url, "shop");
  const shop = asked === undefined ? shops[0] : shops.find(({ id }) => id === asked);
  if (shop === undefined && asked !== undefined) nothingHere(event);
  return { shops, ...(shop === undefined ? {} : { shop }) };
}

/** The lines of a text field, without empty ones. */
export const linesOf = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
