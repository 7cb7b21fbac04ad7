import { type ProblemCode, problems } from "@remit/protocol";
import { z } from "zod";
import type { Answers, Page, Route } from "./route.ts";

type Json = Record<string, unknown>;

const schemaOf = (schema: z.ZodType, io: "input" | "output"): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: "draft-2020-12",
    io,
    unrepresentable: "any",
  });
  return rest;
};

const templateOf = (path: string): string => path.replace(/:(\w+)/g, "{$1}");

/** OpenAPI 3.1 of declared routes. Pages are no API: their addresses stand apart in `x-pages`. Mounts do not appear. */
export function openApiOf(
  about: { service: string; version: string; origin: string },
  declared: readonly (Route | Page)[],
): Json {
  const routes = declared.filter((entry) => entry.kind === "route");
  const pages = declared.filter((entry) => entry.kind === "page");
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = templateOf(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: `Remit ${about.service}`, version: about.version },
    servers: [{ url: about.origin }],
    paths,
    "x-pages": pages.map(({ method, path }) => `${method} ${templateOf(path)}`),
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: {
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
      },
    },
  };
}

const problemSchema: Json = {
  type: "object",
  description: "RFC 9457",
  required: ["type", "title", "status", "code", "request_id"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string" },
    detail: { type: "string" },
    remedy: { type: "string" },
    request_id: { type: "string" },
  },
};

function operationOf(route: Route): Json {
  const parameters = [
    ...parametersOf(route.params, "path"),
    ...parametersOf(route.query, "query"),
    ...(route.idempotency === undefined ? [] : [idempotencyKeyParameter]),
  ];
  return {
    summary: route.summary,
    ...securityOf(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(route.body),
    responses: responsesOf(route.answers),
  };
}

const idempotencyKeyParameter: Json = {
  name: "Idempotency-Key",
  in: "header",
  required: true,
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

function parametersOf(schema: z.ZodType | undefined, where: "path" | "query"): Json[] {
  if (schema === undefined) return [];
  // toJSONSchema of an object has these members; its type says only "a JSON schema".
  const { properties = {}, required = [] } = schemaOf(schema, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    schema: of,
  }));
}

function bodyOf(body: Route["body"]): Json {
  if (body === undefined) return {};
  const content =
    body === "raw" ? { "*/*": {} } : { "application/json": { schema: schemaOf(body, "input") } };
  return { requestBody: { required: true, content } };
}

function responsesOf(answers: Answers): Json {
  const declared = Object.entries(answers).map(([status, answer]) => [
    status,
    answer instanceof z.ZodType
      ? responseOf(answer)
      : refusalOf(typeof answer === "string" ? [answer] : answer),
  ]);
  const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return {
    ...Object.fromEntries(declared),
    default: { description: "A refusal (RFC 9457).", content: problem },
  };
}

function responseOf(schema: z.ZodType): Json {
  if (schema instanceof z.ZodUndefined) return { description: "Done." };
  return { description: "Done.", content: { "application/json": { schema: schemaOf(schema, "output") } } };
}

const refusalOf = (codes: readonly ProblemCode[]): Json => ({
  description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join(" "),
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
});
