import * as contracts from "@remit/protocol/contracts";
import { z } from "zod";
import { exampleOf } from "./openapi-examples.ts";

export type Json = Readonly<Record<string, unknown>>;

/** The schemas of a document: those that a contract exports have its name, and stand once. */
export type Schemas = {
  /** The schema, or a reference to where it stands. `input` is what callers send, `output` what they get. */
  of(schema: z.ZodType, io: "input" | "output"): Json;
  /** The same, with an example beside it: what stands under a media type. */
  shown(schema: z.ZodType, io: "input" | "output"): Json;
  /** All that were named so far. */
  components(): Json;
};

const names = new Map<z.ZodType, string>();
for (const [name, schema] of Object.entries(contracts))
  if (schema instanceof z.ZodType && !names.has(schema)) names.set(schema, name);

/** What zod knows of a schema otherwise (its description), with our name for it as `id`. */
const named = Object.assign(z.registry<z.core.GlobalMeta>(), {
  get(schema: z.ZodType): z.core.GlobalMeta | undefined {
    const id = names.get(schema);
    const known = z.globalRegistry.get(schema);
    return id === undefined ? known : { ...known, id };
  },
});

/**
 * Where the schemas of a document are collected. Ask for what is answered first: what callers send under the same name
 * stands as `XInput` where it differs (a default is optional to send and always answered).
 */
export function collectSchemas(): Schemas {
  const components = new Map<string, Json>();
  // Making one is slow, and many routes answer the same.
  const shown = { input: new Map<z.ZodType, Json>(), output: new Map<z.ZodType, Json>() };
  const known = new Map<string, string>();
  const nameFor = (id: string, def: unknown, io: "input" | "output"): string => {
    const text = JSON.stringify(def);
    const name = io === "output" || (known.get(id) ?? text) === text ? id : `${id}Input`;
    known.set(name, text);
    return name;
  };
  const of: Schemas["of"] = (schema, io) => {
    const {
      $schema: _,
      $defs = {},
      ...root
    } = z.toJSONSchema(schema, {
      target: "draft-2020-12",
      io,
      unrepresentable: "any",
      metadata: named,
    });
    const here = new Map(Object.entries($defs).map(([id, def]) => [id, nameFor(id, def, io)]));
    for (const [id, def] of Object.entries($defs))
      components.set(here.get(id) ?? id, renamed(def, here) as Json); // renaming keeps its shape
    return renamed(root, here) as Json; // renaming keeps its shape
  };
  return {
    of,
    shown: (schema, io) => {
      const known = shown[io].get(schema);
      if (known !== undefined) return known;
      const made = of(schema, io);
      const entry = { schema: made, example: exampleOf(made, (name) => components.get(name)) };
      shown[io].set(schema, entry);
      return entry;
    },
    components: () => Object.fromEntries([...components].sort(([a], [b]) => a.localeCompare(b))),
  };
}

/** The same schema, with each reference to a name of zod's turned into one to a component of the document. */
function renamed(value: unknown, here: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((each) => renamed(each, here));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      if (key !== "$ref" || typeof each !== "string") return [key, renamed(each, here)];
      const id = each.replace("#/$defs/", "");
      return [key, `#/components/schemas/${here.get(id) ?? id}`];
    }),
  );
}
