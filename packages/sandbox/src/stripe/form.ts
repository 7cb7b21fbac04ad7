import { badParameter } from "./refusal.ts";

/** What `application/x-www-form-urlencoded` with brackets decodes to: text, or members by name. */
export type Form = { readonly [name: string]: FormValue };
export type FormValue = string | Form;

type Growing = { [name: string]: string | Growing };

const depthMax = 8;
const fieldsMax = 1000;

/** Decodes `a[b][0]=c`. Members keep their order; a list is an object with the keys `0`, `1`, … */
export function decodeForm(text: string): Form {
  const root: Growing = Object.create(null);
  const fields = [...new URLSearchParams(text)];
  if (fields.length > fieldsMax) throw badParameter("", "Too many parameters.");
  for (const [name, value] of fields) place(root, name, value);
  return root;
}

function place(root: Growing, name: string, value: string): void {
  const path = pathOf(name);
  let at = root;
  for (const step of path.slice(0, -1)) {
    const key = step === "" ? String(Object.keys(at).length) : step;
    const next = at[key] ?? Object.create(null);
    if (typeof next === "string") throw badParameter(name, `Invalid parameter: ${name}`);
    at[key] = next;
    at = next;
  }
  const last = path.at(-1) ?? "";
  at[last === "" ? String(Object.keys(at).length) : last] = value;
}

function pathOf(name: string): string[] {
  const match = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(name);
  if (match === null) throw badParameter(name, `Invalid parameter name: ${name}`);
  const path = [
    match[1] ?? "",
    ...[...(match[2] ?? "").matchAll(/\[([^[\]]*)\]/g)].map((part) => part[1] ?? ""),
  ];
  if (path.length > depthMax) throw badParameter(name, "Parameters are nested too deeply.");
  return path;
}

/** The same text for the same parameters in any order: what an idempotency key is compared by. */
export function canonicalForm(form: FormValue): string {
  if (typeof form === "string") return JSON.stringify(form);
  const members = Object.keys(form)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalForm(form[name] ?? "")}`);
  return `{${members.join(",")}}`;
}
