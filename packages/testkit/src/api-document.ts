import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

type Json = Readonly<Record<string, unknown>>;

/** One operation of an OpenAPI document, as a caller needs it. */
export type ApiOperation = {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Scheme → scopes; any one of them will do. None: anybody may call. */
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly ApiParameter[];
  readonly body: { readonly type: string; readonly schema: Json; readonly example: unknown } | undefined;
  readonly responses: Readonly<Record<string, ApiResponse>>;
};

export type ApiParameter = {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: Json;
};

export type ApiResponse = {
  readonly content?: Readonly<Record<string, { readonly schema?: Json; readonly example?: unknown }>>;
};

export type ApiDocument = {
  readonly operations: readonly ApiOperation[];
  /** Where the document is not OpenAPI 3.1, or contradicts itself; none when it is in order. */
  readonly faults: readonly string[];
  /** What is wrong with a value, by the schema at a place of the document; undefined when it fits. */
  wrong(pointer: readonly string[], value: unknown): string | undefined;
};

const officialSchema = JSON.parse(
  readFileSync(new URL("./openapi-3.1.json", import.meta.url), "utf8"),
) as Json; // the specification's own schema
const methods = ["get", "put", "post", "delete", "patch"] as const;

/** Reads a document, and holds it against the specification's own JSON schema (spec.openapis.org/oas/3.1). */
export function readApiDocument(document: Json): ApiDocument {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  const root = "https://document.test/openapi.json";
  ajv.addSchema({ ...document, $id: root });
  const compiled = new Map<string, ValidateFunction>();
  const validatorAt = (pointer: readonly string[]): ValidateFunction => {
    const at = pointer
      .map((part) => encodeURIComponent(part.replace(/~/g, "~0").replace(/\//g, "~1")))
      .join("/");
    const known = compiled.get(at) ?? ajv.compile({ $ref: `${root}#/${at}` });
    compiled.set(at, known);
    return known;
  };
  const wrong: ApiDocument["wrong"] = (pointer, value) => {
    const validate = validatorAt(pointer);
    return validate(value) ? undefined : ajv.errorsText(validate.errors, { dataVar: "body" });
  };
  const operations = operationsOf(document);
  return { operations, wrong, faults: [...schemaFaults(document), ...ownFaults(operations)] };
}

function schemaFaults(document: Json): string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const validate = ajv.compile(officialSchema);
  return validate(document) ? [] : [ajv.errorsText(validate.errors)];
}

function operationsOf(document: Json): ApiOperation[] {
  const paths = document["paths"] as Readonly<Record<string, Readonly<Record<string, Json>>>>; // checked by the schema
  return Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [operationOf({ path, method }, operation)];
    }),
  );
}

function operationOf(at: { readonly path: string; readonly method: string }, operation: Json): ApiOperation {
  const { operationId, security, parameters, requestBody, responses } = operation as {
    readonly operationId: string;
    readonly security?: ApiOperation["security"];
    readonly parameters?: readonly ApiParameter[];
    readonly requestBody?: {
      readonly content: Readonly<Record<string, { schema?: Json; example?: unknown }>>;
    };
    readonly responses: ApiOperation["responses"];
  };
  const [entry] = Object.entries(requestBody?.content ?? {});
  return {
    id: operationId,
    method: at.method.toUpperCase(),
    path: at.path,
    security: security ?? [],
    parameters: parameters ?? [],
    body: entry && { type: entry[0], schema: entry[1].schema ?? {}, example: entry[1].example },
    responses,
  };
}

/** What the schema cannot say: each id once, each place of a path a parameter. */
function ownFaults(operations: readonly ApiOperation[]): string[] {
  const seen = new Set<string>();
  return operations.flatMap(({ id, method, path, parameters }) => {
    const twice = seen.has(id) ? [`${id} names two operations`] : [];
    seen.add(id);
    const places = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const named = parameters.filter((one) => one.in === "path").map(({ name }) => name);
    const missing = places.filter((name) => !named.includes(name ?? ""));
    return [...twice, ...missing.map((name) => `${method} ${path} has no parameter ${name}`)];
  });
}
