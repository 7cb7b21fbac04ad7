import { parseId } from "@remit/kernel";
import { formatIn } from "#lib/format.ts";
import { saidBy } from "#lib/questions.ts";
import { type Words, wordsOf } from "#lib/words/index.ts";
import type { Platform } from "../../../../../src/portal/index.ts";
import type { RequestHandler } from "./$types.ts";

type Asking = { readonly api: NonNullable<Platform["signedIn"]>["api"]; readonly id: string };
type Telling = Asking & { readonly words: Words; readonly format: ReturnType<typeof formatIn> };

/**
 * What a notice says to whoever is signed in where it is shown (static/push-worker.js). A push holds ids alone, since it
 * passes through others' hands; names and amounts come from here, in the person's name, or not at all.
 */
export const GET: RequestHandler = async ({ params: { id }, locals: { platform, locale, zone } }) => {
  const { signedIn } = platform;
  if (signedIn === undefined) return new Response(null, { status: 204 });
  const telling = { api: signedIn.api, id, words: await wordsOf(locale), format: formatIn(locale, zone) };
  const title = await (parseId("approval", id) === undefined ? moved(telling) : asked(telling));
  return title === undefined ? new Response(null, { status: 204 }) : Response.json({ title });
};

async function asked({ api, id, words, format }: Telling): Promise<string | undefined> {
  const answer = await api.approval({ params: { id } });
  return answer.ok && answer.value.status === "pending" ? saidBy(answer.value, words, format) : undefined;
}

async function moved({ api, id, words, format }: Telling): Promise<string | undefined> {
  const answer = await api.charge({ params: { id } });
  if (!answer.ok) return undefined;
  const { captured_minor: paid, refunded_minor: back, currency, merchant_id: merchant } = answer.value;
  const shop = await api.merchant({ params: { id: merchant } });
  if (!shop.ok || paid === 0) return undefined;
  const { display_name: name } = shop.value;
  return back > 0
    ? words.notices.cameBack(format.money(back, currency), name)
    : words.notices.paidTo(format.money(paid, currency), name);
}
