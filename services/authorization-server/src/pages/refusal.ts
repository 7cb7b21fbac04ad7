import type { PageAnswer } from "@remit/platform/http";
import type { Problem } from "@remit/protocol";
import { html } from "./html.ts";
import { layout, pageHeaders } from "./layout.ts";

/** Something ended the request; what the person can do about it. */
export function errorPage(text: string): { html: string; headers: Record<string, string> } {
  const title = "This did not work";
  const body = html`<div class="sheet"><h1>${title}</h1><p>${text}</p>
<p class="soft">Nothing was allowed and nothing was spent. Start again at the application that sent you here.</p></div>`;
  return { html: layout({ title, body }), headers: pageHeaders() };
}

/** A person gets a page, also for a refusal: give it to `page({ refused })`. */
export function refusalPage(problem: Problem): PageAnswer {
  const { html: text, headers } = errorPage(problem.detail ?? "The request cannot be continued.");
  return { status: problem.status, html: text, headers: { ...headers, ...problem.headers } };
}
