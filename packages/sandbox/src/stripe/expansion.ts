import type { FormValue } from "./form.ts";
import { badParameter } from "./refusal.ts";
import type { Json } from "./resources.ts";
import type { Reader } from "./store.ts";

type Tree = { [name: string]: Json };

const depthMax = 4;

/** Replaces the ids at `expand[]` paths (`latest_charge.balance_transaction`, `data.customer`) by their objects. */
export function expanded(reader: Reader, answer: object, expand: FormValue | undefined): object {
  const paths = Object.values(typeof expand === "object" ? expand : {});
  if (paths.length === 0) return answer;
  // An answer is JSON by construction; expanding needs it open to writing, on a copy.
  const copy = structuredClone(answer) as Tree;
  for (const path of paths) {
    const steps = typeof path === "string" ? path.split(".") : [];
    if (steps.length === 0 || steps.length > depthMax)
      throw badParameter("expand", "You cannot expand more than 4 levels of a property");
    expandAt(reader, copy, steps);
  }
  return copy;
}

function expandAt(reader: Reader, tree: Tree, [step = "", ...rest]: readonly string[]): void {
  if (!Object.hasOwn(tree, step)) throw badParameter("expand", `This property cannot be expanded (${step}).`);
  const value = tree[step];
  if (Array.isArray(value)) {
    for (const item of value) if (isTree(item)) expandAt(reader, item, rest);
    return;
  }
  if (typeof value === "string") {
    const found = reader.read(value);
    if (found === undefined) return;
    // A resource is JSON; the copy is ours to write on.
    tree[step] = structuredClone(found) as unknown as Tree;
  }
  const next = tree[step];
  if (rest.length > 0 && isTree(next)) expandAt(reader, next, rest);
}

const isTree = (value: Json | undefined): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);
