import type { JsonObject } from "@remit/protocol";
import type { PaidRoute } from "../offers/index.ts";

const known = new WeakMap<PaidRoute, JsonObject>();

/**
 * How the resource is asked for, for facilitators that list it (x402, specs/extensions/bazaar.md). Nothing is known of what an
 * upstream wants to be sent, so that the examples are empty ones.
 */
export function bazaarOf(route: PaidRoute): JsonObject {
  const made = known.get(route) ?? make(route);
  known.set(route, made);
  return made;
}

function make(route: PaidRoute): JsonObject {
  const input = inputOf(route);
  const template = `/${route.pattern.join("/")}`;
  return {
    info: { input },
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: { input: schemaOf(input) },
      required: ["input"],
    },
    ...(/\/:/.test(template) && !template.endsWith("*") && { routeTemplate: template }),
  };
}

const withoutBody = new Set(["GET", "HEAD", "DELETE"]);

function inputOf({ tool, name, method }: PaidRoute): JsonObject {
  if (tool !== undefined)
    return {
      type: "mcp",
      tool,
      description: name,
      transport: "streamable-http",
      inputSchema: { type: "object" },
    };
  if (withoutBody.has(method)) return { type: "http", method };
  return { type: "http", method, bodyType: "json", body: {} };
}

/** Exactly these members, and these values of those that say what is asked for. */
function schemaOf(input: JsonObject): JsonObject {
  const members = Object.entries(input).map(([name, value]) => [
    name,
    typeof value === "string"
      ? { type: "string", ...(fixed.has(name) && { const: value }) }
      : { type: "object" },
  ]);
  return {
    type: "object",
    properties: Object.fromEntries(members),
    required: Object.keys(input),
    additionalProperties: false,
  };
}

const fixed = new Set(["type", "method", "bodyType", "tool"]);
