import type { Form, FormValue } from "./form.ts";
import { badParameter } from "./refusal.ts";
import type { Metadata } from "./resources.ts";

/** Typed reading of a request's parameters; what was not read is unknown and refused, as Stripe does. */
export type Parameters = {
  text(name: string): string | undefined;
  requiredText(name: string): string;
  integer(name: string): number | undefined;
  requiredInteger(name: string): number;
  flag(name: string): boolean;
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined;
  list(name: string): string[];
  map(name: string): Metadata;
  group(name: string): Form | undefined;
  /** Throws when a parameter was sent that nobody read. */
  finish(): void;
};

export function parametersOf(form: Form): Parameters {
  const unread = new Set(Object.keys(form));
  const take = (name: string): FormValue | undefined => {
    unread.delete(name);
    return form[name];
  };
  const text = (name: string): string | undefined => {
    const value = take(name);
    if (value === undefined || value === "") return undefined;
    if (typeof value !== "string") throw badParameter(name, `Invalid string: ${name}`);
    return value;
  };
  const integer = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,15}$/.test(value))
      throw badParameter(name, `Invalid integer: ${value}`, "parameter_invalid_integer");
    return Number(value);
  };
  return {
    text,
    integer,
    requiredText: (name) => text(name) ?? missing(name),
    requiredInteger: (name) => integer(name) ?? missing(name),
    flag: (name) => flagOf(name, text(name)),
    choice: (name, choices) => choiceOf(name, text(name), choices),
    list: (name) => valuesOf(name, take(name)),
    map: (name) => mapOf(name, take(name)),
    group: (name) => groupOf(name, take(name)),
    finish: () => {
      const [name] = unread;
      if (name !== undefined)
        throw badParameter(name, `Received unknown parameter: ${name}`, "parameter_unknown");
    },
  };
}

function missing(name: string): never {
  throw badParameter(name, `Missing required param: ${name}.`, "parameter_missing");
}

function flagOf(name: string, value: string | undefined): boolean {
  if (value !== undefined && value !== "true" && value !== "false")
    throw badParameter(name, `Invalid boolean: ${value}`);
  return value === "true";
}

function choiceOf<T extends string>(
  name: string,
  value: string | undefined,
  choices: readonly T[],
): T | undefined {
  const chosen = choices.find((choice) => choice === value);
  if (value !== undefined && chosen === undefined)
    throw badParameter(name, `Invalid ${name}: must be one of ${choices.join(", ")}`);
  return chosen;
}

function groupOf(name: string, value: FormValue | undefined): Form | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") throw badParameter(name, `Invalid object: ${name}`);
  return value;
}

function valuesOf(name: string, value: FormValue | undefined): string[] {
  return Object.values(groupOf(name, value) ?? {}).map((item) => {
    if (typeof item !== "string") throw badParameter(name, `Invalid array: ${name}`);
    return item;
  });
}

function mapOf(name: string, value: FormValue | undefined): Metadata {
  const entries = Object.entries(groupOf(name, value) ?? {});
  if (entries.length > 50) throw badParameter(name, "Metadata can have at most 50 keys.");
  return Object.fromEntries(
    entries.map(([key, text]) => {
      if (typeof text !== "string" || text.length > 500 || key.length > 40)
        throw badParameter(
          `${name}[${key}]`,
          "Metadata values can have up to 500 characters, keys up to 40.",
        );
      return [key, text];
    }),
  );
}
