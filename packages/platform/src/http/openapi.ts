import { z } from "zod";
import { answerComponents, answersOf, answersOfDescribed } from "./openapi-answers.ts";
import { collectSchemas, type Json, type Schemas } from "./openapi-schemas.ts";
import type { Described, Page, Route } from "./route.ts";

type About = { readonly service: string; readonly version: string; readonly origin: string };

const templateOf = (path: string): string => path.replace(/:(\w+)/g, "{$1}");

/**
 * OpenAPI 3.1 of declared routes and of what mounts say they serve. Pages are no API: their addresses stand apart in
 * `x-pages`.
 */
export function openApiOf(
  about: About,
  { declared, described }: { declared: readonly (Route | Page)[]; described: readonly Described[] },
): Json {
  const routes = declared.filter((entry) => entry.kind === "route");
  const pages = declared.filter((entry) => entry.kind === "page");
  const schemas = collectSchemas();
  for (const route of routes) answersOf(route, schemas);
  const paths = pathsOf(routes, described, schemas);
  const { problem, examples, headers } = answerComponents(about.origin);
  return {
    openapi: "3.1.0",
    info: {
      title: `Remit ${about.service}`,
      version: about.version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: about.origin }],
    tags: [...new Set(Object.keys(paths).map(tagOf))].sort().map((name) => ({ name })),
    paths,
    "x-pages": pages.map(({ method, path }) => `${method} ${templateOf(path)}`),
    components: {
      schemas: { ...schemas.components(), Problem: problem },
      examples,
      headers,
      securitySchemes,
    },
  };
}

const securitySchemes: Json = {
  dpop: {
    type: "http",
    scheme: "dpop",
    description: "A token bound to a key, with a DPoP proof (RFC 9449).",
  },
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "A plain token (RFC 6750), where a route takes one.",
  },
  client: {
    type: "http",
    scheme: "basic",
    description: "A client's id and secret (RFC 6749 §2.3.1), or its assertion in the form (RFC 7523 §2.2).",
  },
};

function pathsOf(
  routes: readonly Route[],
  described: readonly Described[],
  schemas: Schemas,
): Record<string, Json> {
  const paths: Record<string, Json> = {};
  const put = (entry: { method: string; path: string }, operation: Json): void => {
    const path = templateOf(entry.path);
    const common = { operationId: idOf(entry.method, path), tags: [tagOf(path)] };
    paths[path] = { ...paths[path], [entry.method.toLowerCase()]: { ...common, ...operation } };
  };
  for (const route of routes) put(route, operationOf(route, schemas));
  for (const entry of described) put(entry, operationOfDescribed(entry, schemas));
  return paths;
}

/** `GET /api/v1/agents/{id}/credentials` is `getAgentsByIdCredentials`: the name of its function in a generated client. */
function idOf(method: string, path: string): string {
  const words = path
    .replace(/^\/api\/v1\//, "/")
    .replace(/^\/(?=(?:agents|did)\b)/, path.startsWith("/api/") ? "/" : "/public/")
    .replace(/\{(\w+)\}/g, "by-$1")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join(
    "",
  );
}

/** What an address is about: the first word of an API path, the kind of any other. */
function tagOf(path: string): string {
  const [first = "", , third = ""] = path.split("/").slice(1);
  if (first === "api") return third;
  if (first === "oauth" || first === "oauth2") return "oauth";
  if (/^(?:livez|readyz|ready|health|openapi\.json)$/.test(first)) return "operations";
  return "discovery";
}

function operationOf(route: Route, schemas: Schemas): Json {
  const parameters = [
    ...parametersOf(route.params, { where: "path", schemas }),
    ...parametersOf(route.query, { where: "query", schemas }),
    ...(route.idempotency === undefined ? [] : [idempotencyKeyParameter]),
  ];
  return {
    summary: route.summary,
    ...securityOf(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(route.body, schemas),
    responses: answersOf(route, schemas),
  };
}

function operationOfDescribed(entry: Described, schemas: Schemas): Json {
  const { form, query } = entry;
  const parameters = parametersOf(query, { where: "query", schemas });
  return {
    summary: entry.summary,
    security: entry.security.length === 0 ? [] : entry.security.map((scheme) => ({ [scheme]: [] })),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(form === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/x-www-form-urlencoded": schemas.shown(form, "input") },
          },
        }),
    responses: answersOfDescribed(entry, schemas),
  };
}

const idempotencyKeyParameter: Json = {
  name: "Idempotency-Key",
  in: "header",
  required: true,
  description: "Names this request; the same key with the same request gets the same answer.",
  schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[\\x21-\\x7e]+$" },
};

function securityOf({ needs }: Route): Json {
  if (needs === "public") return { security: [] };
  const scopes = [needs.scope].flat();
  const ways = scopes.flatMap((scope) => [
    { dpop: [scope] },
    ...(needs.bearer === true ? [{ bearer: [scope] }] : []),
  ]);
  return { security: ways };
}

function parametersOf(
  schema: z.ZodType | undefined,
  { where, schemas }: { where: "path" | "query"; schemas: Schemas },
): Json[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).map(([name, of]) => ({
    name,
    in: where,
    required: where === "path" || !of.safeParse(undefined).success,
    schema: schemas.of(of, "input"),
  }));
}

function bodyOf(body: Route["body"], schemas: Schemas): Json {
  if (body === undefined) return {};
  const content =
    body === "raw" ? { "*/*": {} } : { "application/json": closed(body, schemas.shown(body, "input")) };
  return { requestBody: { required: true, content } };
}

/** The edge refuses unknown members of an object that does not say otherwise; so does its schema here. */
function closed(body: z.ZodType, { schema, ...rest }: Json): Json {
  const referred = Object(schema)["$ref"] !== undefined;
  return {
    ...rest,
    schema: isOpen(body) && !referred ? { ...Object(schema), additionalProperties: false } : schema,
  };
}

/** An object that does not say whether it takes members that it does not name. */
export const isOpen = (schema: z.ZodType | undefined): schema is z.ZodObject =>
  schema instanceof z.ZodObject && schema.def.catchall === undefined;
