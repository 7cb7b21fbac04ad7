import { createHash } from "node:crypto";
import { problems } from "@remit/protocol";
import type { Json } from "./openapi-schemas.ts";
import { style } from "./reference-style.ts";
import { type Page, page } from "./route.ts";

const policy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
const headers = { "Cache-Control": "public, max-age=300", "Content-Security-Policy": policy };

/** The API reference for people, made from the same document: no script, nothing of another host. */
export function referencePage(openApi: () => Json): Page {
  let made: string | undefined;
  return page({
    method: "GET",
    path: "/docs",
    handle: () => ({ status: 200, headers, html: (made ??= htmlOf(openApi() as Document)) }), // its own maker's shape
  });
}

type Schema = Json & {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
  readonly pattern?: string;
};

type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Schema;
};
type Media = { readonly schema?: Schema; readonly example?: unknown };
type Response = { readonly description: string; readonly content?: Readonly<Record<string, Media>> };

type Operation = {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Response>>;
};

type Document = {
  readonly info: { readonly title: string; readonly version: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

type Shown = { readonly method: string; readonly path: string; readonly operation: Operation };

const escape = (text: unknown): string =>
  String(text).replace(
    /[&<>"]/g,
    (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign,
  );

const names: Readonly<Record<string, string>> = { oauth: "OAuth", did: "DIDs" };

const words = (tag: string): string => {
  const known = names[tag];
  if (known !== undefined) return known;
  const text = tag.replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

function htmlOf({ info, servers, paths, components }: Document): string {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Shown => ({ method, path, operation })),
  );
  const groups = [...Map.groupBy(all, ({ operation }) => operation.tags[0] ?? "")].sort(([a], [b]) =>
    a.localeCompare(b),
  );
  const nav = groups
    .map(([tag, { length }]) => `<li><a href="#${tag}">${escape(words(tag))} <span>${length}</span></a></li>`)
    .join("");
  const sections = groups
    .map(
      ([tag, shown]) =>
        `<section aria-labelledby="${tag}"><h2 id="${tag}">${escape(words(tag))}</h2>${shown.map(operationOf).join("")}</section>`,
    )
    .join("");
  const schemas = Object.entries(components.schemas)
    .map(([name, schema]) => schemaOf(name, schema))
    .join("");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(info.title)}: API reference</title><style>${style}</style></head><body>
<a class="skip" href="#main">Skip to the reference</a>
<header><p class="mark">Remit</p><h1>${escape(info.title.replace(/^Remit /, "").replaceAll("-", " "))} API</h1><p>${all.length} operations at <code>${escape(servers[0]?.url)}</code>. The same as <a href="/openapi.json">OpenAPI 3.1</a>; every refusal is <a href="/docs/problems">explained</a>.</p></header>
<nav aria-label="Contents"><ul>${nav}<li><a href="#schemas">Schemas <span>${Object.keys(components.schemas).length}</span></a></li></ul></nav>
<main id="main">${sections}<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>${schemas}</section></main></body></html>`;
}

function operationOf({ method, path, operation }: Shown): string {
  const { operationId: id, parameters = [], requestBody, responses } = operation;
  const place = escape(path).replace(/\{(\w+)\}/g, "<i>{$1}</i>");
  return `<details id="${id}"><summary><b class="${method}">${method.toUpperCase()}</b><code>${place}</code><span>${escape(operation.summary)}</span></summary><div>
<p>${whoMay(operation)}</p>${parametersOf(parameters)}${bodiesOf("Body", requestBody?.content)}${answersOf(responses)}</div></details>`;
}

function whoMay({ security }: Operation): string {
  if (security.length === 0) return "For everybody, without a token.";
  const scopes = [...new Set(security.flatMap((way) => Object.values(way).flat()))];
  const schemes = [...new Set(security.flatMap((way) => Object.keys(way)))];
  const how = schemes
    .map(
      (name) =>
        ({ dpop: "a DPoP-bound token", bearer: "a bearer token", client: "client authentication" })[name],
    )
    .join(" or ");
  const shown = scopes.map((scope) => `<code>${escape(scope)}</code>`);
  const which = scopes.length > 8 ? "any scope" : `scope ${shown.join(" or ")}`;
  return scopes.length === 0 ? `Needs ${how}.` : `Needs ${how} with ${which}.`;
}

function parametersOf(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: where, required, schema }) =>
      `<tr><th scope="row"><code>${escape(name)}</code></th><td>${typeOf(schema)}</td><td>${where}${required ? ", required" : ""}</td></tr>`,
  );
  return `<h3>Parameters</h3><div class="scroll" tabindex="0" role="group" aria-label="Parameters"><table><tbody>${rows.join("")}</tbody></table></div>`;
}

function bodiesOf(title: string, content: Readonly<Record<string, Media>> | undefined): string {
  if (content === undefined) return "";
  return Object.entries(content)
    .map(([type, media]) => `<h3>${title} <small>${escape(type)}</small></h3>${mediaOf(media, title)}`)
    .join("");
}

const mediaOf = ({ schema, example }: Media, title: string): string => {
  const shape = schema === undefined ? "" : `<p class="type">${typeOf(schema)}</p>`;
  return example === undefined ? shape : `${shape}${exampleOf(example, title)}`;
};

const exampleOf = (example: unknown, title: string): string =>
  `<pre tabindex="0" aria-label="Example of ${escape(title.toLowerCase())}">${escape(typeof example === "string" ? example : JSON.stringify(example, undefined, 2))}</pre>`;

function answersOf(responses: Operation["responses"]): string {
  const entries = Object.entries(responses);
  const good = entries.filter(([status]) => Number(status) < 400);
  const refusals = entries.filter(([status]) => Number(status) >= 400);
  const shown = good.map(([status, { description, content }]) =>
    content === undefined
      ? `<h3>${status} <small>${escape(description)}</small></h3>`
      : bodiesOf(status, content),
  );
  const rows = refusals.map(
    ([status, { description }]) =>
      `<tr><th scope="row">${status}</th><td>${refusalOf(description)}</td></tr>`,
  );
  const table = `<h3>Refusals</h3><div class="scroll" tabindex="0" role="group" aria-label="Refusals"><table><tbody>${rows.join("")}</tbody></table></div>`;
  return shown.join("") + (refusals.length === 0 ? "" : table);
}

/** The codes of a refusal lead to their pages. */
const refusalOf = (description: string): string =>
  escape(description).replace(/`(\w+)`/g, (whole, code: string) =>
    Object.hasOwn(problems, code) ? `<a href="/docs/problems/${code}"><code>${code}</code></a>` : whole,
  );

function typeOf(schema: Schema): string {
  const { $ref, type, items, anyOf, oneOf } = schema;
  if ($ref !== undefined) {
    const name = $ref.replace("#/components/schemas/", "");
    return `<a href="#schema-${escape(name)}"><code>${escape(name)}</code></a>`;
  }
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(" ");
  if (schema["const"] !== undefined) return `<code>${escape(JSON.stringify(schema["const"]))}</code>`;
  const ways = anyOf ?? oneOf;
  if (ways !== undefined) return ways.map(typeOf).join(" or ");
  if (items !== undefined) return `list of ${typeOf(items)}`;
  if (schema.properties !== undefined)
    return `object: ${Object.keys(schema.properties)
      .map((name) => `<code>${escape(name)}</code>`)
      .join(" ")}`;
  return escape([type ?? "any"].flat().join(" or ")) + limitsOf(schema);
}

function limitsOf({ minimum, maximum, minLength, maxLength, format, pattern, description }: Schema): string {
  const safe = (value: number | undefined): value is number =>
    value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  const parts = [
    format ?? "",
    safe(minimum) ? `from ${minimum}` : "",
    safe(maximum) ? `to ${maximum}` : "",
    minLength === undefined ? "" : `at least ${minLength} characters`,
    maxLength === undefined ? "" : `at most ${maxLength} characters`,
    pattern === undefined || pattern.length > 60 ? "" : `<code>${escape(pattern)}</code>`,
    description === undefined ? "" : escape(description),
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : `<small>, ${parts.join(", ")}</small>`;
}

function schemaOf(name: string, schema: Schema): string {
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties ?? {}).map(
    ([member, of]) =>
      `<tr><th scope="row"><code>${escape(member)}</code></th><td>${typeOf(of)}</td><td>${required.has(member) ? "always" : "optional"}</td></tr>`,
  );
  const body =
    rows.length === 0
      ? `<p class="type">${typeOf(schema)}</p>`
      : `<div class="scroll" tabindex="0" role="group" aria-label="${escape(name)}"><table><tbody>${rows.join("")}</tbody></table></div>`;
  return `<article id="schema-${escape(name)}"><h3><code>${escape(name)}</code></h3>${body}</article>`;
}
