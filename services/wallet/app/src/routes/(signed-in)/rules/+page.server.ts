import type { SetWalletRules } from "@remit/protocol/contracts";
import type { RequestEvent } from "@sveltejs/kit";
import { currencies } from "#lib/giving.ts";
import { asSet, periods, withAdded, without } from "#lib/ruling.ts";
import { apiOf, must, refused, textIn } from "#lib/server-side.ts";
import type { Result } from "../../../../../src/api/index.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const [rules, agents] = await Promise.all([
    must(event, api.rules()),
    must(event, api.agents({ query: { limit: "100" } })),
  ]);
  return { rules, agents: agents.data, currencies, periods };
};

/** Against the version that the page showed: of two devices that change at once the second is told, and sees the first. */
const change = (changed: (form: FormData, rules: SetWalletRules, zone: string) => Result<SetWalletRules>) => {
  return async (event: RequestEvent) => {
    const form = await event.request.formData();
    const api = apiOf(event);
    const now = await must(event, api.rules());
    const wanted = changed(form, asSet(now), event.locals.zone);
    if (!wanted.ok) return refused(event, wanted.refusal);
    const answer = await api.setRules({ version: Number(textIn(form, "version")), body: wanted.value });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  };
};

export const actions = {
  add: change(withAdded),
  remove: change((form, rules) => ({
    ok: true,
    value: without(rules, textIn(form, "kind"), Number(textIn(form, "at"))),
  })),
} satisfies Actions;
