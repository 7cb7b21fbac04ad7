import { type Html, html } from "./html.ts";

/** What the page has to say of what was just done. `refused` is read out at once by a screen reader. */
export const notice = (kind: "refused" | "done" | "info", text: string): Html =>
  kind === "refused"
    ? html`<p class="notice refused" role="alert" id="refused">${text}</p>`
    : html`<p class="notice ${kind}" role="status">${text}</p>`;

export type Field = {
  readonly name: string;
  readonly label: string;
  readonly type?: "text" | "email" | "password";
  readonly value?: string;
  readonly autocomplete: string;
  readonly hint?: string;
  readonly lengthMax: number;
  readonly lengthMin?: number;
  readonly inputmode?: "numeric" | "text";
  readonly optional?: true;
  readonly readonly?: true;
};

/** A labelled input; its hint is tied to it for those who listen. */
export function field(given: Field): Html {
  const { name, label, type = "text", value, autocomplete, hint, lengthMax, lengthMin, inputmode } = given;
  const more = [
    ...(hint === undefined ? [] : [`aria-describedby="${name}-hint"`]),
    ...(lengthMin === undefined ? [] : [`minlength="${lengthMin}"`]),
    ...(inputmode === undefined ? [] : [`inputmode="${inputmode}"`]),
    ...(given.optional === true ? [] : ["required"]),
    ...(given.readonly === true ? ["readonly"] : []),
  ];
  return html`<label for="${name}">${label}</label>
${hint === undefined ? undefined : html`<p class="hint" id="${name}-hint">${hint}</p>`}
<input type="${type}" id="${name}" name="${name}" value="${value ?? ""}" autocomplete="${autocomplete}" maxlength="${lengthMax}" ${{ markup: more.join(" ") }}>`;
}

export type Button = {
  readonly text: string;
  /** `ink` for the usual way on, `seal` for what moves or stops money or access; plain for the others. */
  readonly look?: "ink" | "seal";
  readonly name?: string;
  readonly value?: string;
};

export const button = ({ text, look, name, value }: Button): Html =>
  html`<button type="submit"${look === undefined ? undefined : html` class="${look}"`}${name === undefined ? undefined : html` name="${name}" value="${value ?? ""}"`}>${text}</button>`;

export const actions = (...buttons: readonly Html[]): Html => html`<div class="actions">${buttons}</div>`;

/** Where a form goes; `check` is the hidden field of the form check. */
export type Form = { readonly action: string; readonly check: Html };

export const hidden = (name: string, value: string): Html =>
  html`<input type="hidden" name="${name}" value="${value}">`;

/** Ticked unless the person says otherwise; sent as `yes` or not at all. */
export const tick = ({ name, label }: { name: string; label: string }): Html =>
  html`<label class="tick"><input type="checkbox" name="${name}" value="yes" checked> ${label}</label>`;

/** A form that posts. */
export const form = ({ action, check }: Form, ...parts: readonly Html[]): Html =>
  html`<form method="post" action="${action}">
${check}
${parts}
</form>`;

/** One under the other between hairlines. */
export const list = (items: readonly Html[], name = "terms"): Html =>
  html`<ul class="${name}">${items.map((item) => html`<li>${item}</li>\n`)}</ul>`;

/** A table that is read on a narrow screen too: each cell says its column. */
export function table(given: {
  readonly caption: string;
  /** The heading above says it already: the caption is for those who listen. */
  readonly headed?: true;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (Html | string)[])[];
}): Html {
  const { caption, columns, rows, headed } = given;
  return html`<table>
<caption${headed === true ? { markup: ' class="heard"' } : undefined}>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map((cell, i) => html`<td data-label="${columns[i] ?? ""}">${cell}</td>`)}</tr>\n`)}</tbody>
</table>`;
}
