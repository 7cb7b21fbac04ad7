/** A schema of a CustomResourceDefinition, as far as such definitions of ours use it (OpenAPI v3, structural). */
export type Schema = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly additionalProperties?: Schema;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message?: string }[];
};

/** Evaluates a rule in the Common Expression Language. */
export type Cel = (rule: string, self: unknown) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fills in defaults and drops what the schema does not name, as the server does before it validates. */
export function complete(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => complete(schema.items ?? {}, item));
  if (!isObject(value)) return value;
  const { properties = {}, additionalProperties } = schema;
  if (schema["x-kubernetes-preserve-unknown-fields"] === true || schema.properties === undefined)
    return additionalProperties === undefined
      ? value
      : Object.fromEntries(
          Object.entries(value).map(([name, each]) => [name, complete(additionalProperties, each)]),
        );
  const known: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(properties)) {
    const given = value[name] ?? member.default;
    if (given !== undefined) known[name] = complete(member, given);
  }
  return known;
}

/** What is wrong with a value, in the words of the server: `spec.payment: Invalid value: "object": …`. */
export function faultsOf(
  schema: Schema,
  value: unknown,
  { at, cel }: { readonly at: string; readonly cel: Cel },
): string[] {
  const faults = shapeFaults(schema, value, at);
  if (faults.length > 0) return faults;
  const deeper = isObject(value)
    ? Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
        value[name] === undefined
          ? []
          : faultsOf(member, value[name], { at: at === "" ? name : `${at}.${name}`, cel }),
      )
    : Array.isArray(value)
      ? value.flatMap((item: unknown, index) =>
          faultsOf(schema.items ?? {}, item, { at: `${at}[${index}]`, cel }),
        )
      : [];
  // Rules are evaluated only on what has the right shape.
  if (deeper.length > 0) return deeper;
  return (schema["x-kubernetes-validations"] ?? []).flatMap(({ rule, message }) =>
    cel(rule, value)
      ? []
      : [`${at}: Invalid value: "${schema.type ?? "object"}": ${message ?? `failed rule: ${rule}`}`],
  );
}

function shapeFaults(schema: Schema, value: unknown, at: string): string[] {
  const quoted = typeof value === "string" ? `"${value}"` : JSON.stringify(value);
  const invalid = (why: string): string[] => [`${at}: Invalid value: ${quoted}: ${at} in body ${why}`];
  if (schema.type !== undefined && !isOf(schema.type, value))
    return invalid(`must be of type ${schema.type}`);
  const missing = isObject(value) ? (schema.required ?? []).filter((name) => value[name] === undefined) : [];
  if (missing.length > 0)
    return missing.map((name) => `${at === "" ? name : `${at}.${name}`}: Required value`);
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [
      `${at}: Unsupported value: ${quoted}: supported values: ${schema.enum.map((each) => JSON.stringify(each)).join(", ")}`,
    ];
  if (typeof value === "string") {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
      return invalid(`should match '${schema.pattern}'`);
    if (value.length < (schema.minLength ?? 0))
      return invalid(`should be at least ${schema.minLength} chars long`);
    if (value.length > (schema.maxLength ?? Infinity))
      return invalid(`should be at most ${schema.maxLength} chars long`);
  }
  if (typeof value === "number") {
    if (value < (schema.minimum ?? -Infinity))
      return invalid(`should be greater than or equal to ${schema.minimum}`);
    if (value > (schema.maximum ?? Infinity))
      return invalid(`should be less than or equal to ${schema.maximum}`);
  }
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0))
      return invalid(`should have at least ${schema.minItems} items`);
    if (value.length > (schema.maxItems ?? Infinity))
      return invalid(`should have at most ${schema.maxItems} items`);
  }
  return [];
}

function isOf(type: string, value: unknown): boolean {
  if (type === "object") return isObject(value);
  if (type === "array") return Array.isArray(value);
  return type === "integer" ? Number.isInteger(value) : typeof value === type;
}
