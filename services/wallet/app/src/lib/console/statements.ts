import type { RequestEvent } from "@sveltejs/kit";
import { nothingHere } from "#lib/server-side.ts";
import { isMonth, periodOf } from "./months.ts";
import { merchantsOf } from "./server.ts";

type Event = Pick<RequestEvent, "locals" | "url" | "params">;

/** What the address of a statement asks for: a month of one of the organization's shops, in a currency. */
export async function statementIn(event: Event) {
  const { merchant = "", month = "" } = event.params;
  const shop = (await merchantsOf(event)).find(({ id }) => id === merchant);
  const currency = event.url.searchParams.get("currency") ?? "";
  if (shop === undefined || !isMonth(month) || currency === "") nothingHere(event);
  return {
    shop: shop.display_name,
    month,
    params: { merchant },
    query: { currency, ...periodOf(month) },
  };
}

type Paper = { readonly type: string; readonly ending: string };

/** A statement as a document to keep. */
export function statementPaper(
  bytes: Uint8Array<ArrayBuffer>,
  event: Event,
  { type, ending }: Paper,
): Response {
  const { merchant = "", month = "" } = event.params;
  const currency = event.url.searchParams.get("currency") ?? "";
  const name = `statement-${merchant}-${month}-${currency}.${ending}`.replaceAll(/[^\w.-]/g, "");
  return new Response(bytes, {
    headers: { "content-type": type, "content-disposition": `attachment; filename="${name}"` },
  });
}
