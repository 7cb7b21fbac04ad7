import type { Json } from "./openapi-schemas.ts";

/** The schema of a name in the document. */
type Look = (name: string) => Json | undefined;

const depthMax = 8;

/**
 * An example of a schema: its own where it has one, else the plainest value that fits. What a pattern asks for nobody can
 * guess but for ids, so such a schema needs `.meta({ examples: [...] })`; a test tells which.
 */
export function exampleOf(schema: Json, look: Look, depth = 0): unknown {
  const { examples, example, enum: values, const: only, default: usual } = schema;
  const ref = schema["$ref"];
  if (typeof ref === "string") {
    const referred = depth > depthMax ? undefined : look(ref.replace("#/components/schemas/", ""));
    return referred === undefined ? null : exampleOf(referred, look, depth + 1);
  }
  if (Array.isArray(examples)) return examples[0];
  for (const known of [example, only, usual]) if (known !== undefined) return known;
  if (Array.isArray(values)) return values[0];
  const [first] = [schema["anyOf"], schema["oneOf"]].find(Array.isArray) ?? [];
  // A schema of several ways: the first of them, with what stands beside them.
  if (first !== undefined) return exampleOf({ ...bare(schema), ...first }, look, depth + 1);
  if (Array.isArray(schema["allOf"])) return merged(schema, look, depth);
  return ofType(schema, look, depth);
}

const bare = (schema: Json): Json =>
  Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "anyOf" && key !== "oneOf"));

const merged = ({ allOf, ...rest }: Json, look: Look, depth: number): unknown => {
  const parts = [...(allOf as readonly Json[]), rest].map((part) => exampleOf(part, look, depth + 1)); // an array, just seen
  const objects = parts.filter((part) => typeof part === "object" && part !== null);
  return objects.length === 0 ? parts[0] : Object.assign({}, ...objects);
};

function ofType(schema: Json, look: Look, depth: number): unknown {
  const type = [schema["type"]].flat()[0];
  switch (type) {
    case "object":
      return objectOf(schema, look, depth);
    case "array":
      return arrayOf(schema, look, depth);
    case "string":
      return stringOf(schema);
    case "integer":
    case "number":
      return Math.max(1, Number(schema["minimum"] ?? 1));
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return schema["properties"] === undefined ? {} : objectOf(schema, look, depth);
  }
}

function objectOf(schema: Json, look: Look, depth: number): unknown {
  const properties = Object.entries(Object(schema["properties"]) as Readonly<Record<string, Json>>);
  const required = new Set([schema["required"] ?? []].flat());
  // At some depth only what must be there: a schema may refer to itself.
  const shown = properties.filter(([name]) => depth <= 3 || required.has(name));
  return Object.fromEntries(shown.map(([name, of]) => [name, exampleOf(of, look, depth + 1)]));
}

function arrayOf(schema: Json, look: Look, depth: number): unknown[] {
  const { prefixItems, items } = schema;
  if (Array.isArray(prefixItems)) return prefixItems.map((item: Json) => exampleOf(item, look, depth + 1));
  if (typeof items !== "object" || items === null || schema["maxItems"] === 0) return [];
  return [exampleOf(items as Json, look, depth + 1)]; // an object, just seen
}

const formats: Readonly<Record<string, string>> = {
  "date-time": "2030-05-04T03:02:01Z",
  email: "ada@example.com",
  uri: "https://example.com/",
};

// One id of the right form for its kind: `^agt_[…]{26}$`.
const idPattern = /^\^([a-z]{3})_/;

function stringOf({ format, pattern, minLength, maxLength }: Json): string {
  if (typeof format === "string" && formats[format] !== undefined) return formats[format];
  const prefix = typeof pattern === "string" ? idPattern.exec(pattern)?.[1] : undefined;
  if (prefix !== undefined) return `${prefix}_01arz3ndektsv4rrffq69g5fav`;
  if (pattern === "^[A-Za-z0-9_-]{43}$") return "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
  const least = Number(minLength ?? 0);
  return "example"
    .repeat(Math.ceil(Math.max(1, least) / 7))
    .slice(0, Number(maxLength ?? Math.max(7, least)));
}
