import type { RequestEvent } from "@sveltejs/kit";
import { apiOf, must } from "#lib/server-side.ts";
import type { AnswerTo } from "../../../src/api/index.ts";

type Event = Pick<RequestEvent, "locals" | "url">;
type Mandates = AnswerTo<"mandates">["data"];

/** The newest mandates of which something is left, however many before them are used up. */
export async function usableMandates(event: Event, most: number): Promise<Mandates> {
  const usable: Mandates = [];
  for (let cursor: string | undefined; ; ) {
    // Of what was handed on from them, their own pages tell.
    const query = { limit: "100", parent_id: "none", standing: "true", cursor };
    const page = await must(event, apiOf(event).mandates({ query }));
    usable.push(...page.data.filter(({ status }) => status !== "exhausted"));
    if (usable.length >= most || page.next_cursor === null) return usable.slice(0, most);
    cursor = page.next_cursor;
  }
}
