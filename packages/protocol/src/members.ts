import { type Id, type IdKind, parseId } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "./encoding/index.ts";
import { Problem, type ProblemCode } from "./problems.ts";

/** What a text may be. */
export type TextRule = { readonly max?: number; readonly pattern?: RegExp };

/**
 * Reads the members of untrusted JSON by name. Only own members count, so that nothing inherited stands in for what
 * was not sent; whatever is wrong is refused with the code and the member's name.
 */
export class Members {
  readonly #object: JsonObject;
  readonly #code: ProblemCode;
  readonly #what: string;

  private constructor(object: JsonObject, code: ProblemCode, what: string) {
    this.#object = object;
    this.#code = code;
    this.#what = what;
  }

  static of(value: unknown, code: ProblemCode, what: string): Members {
    if (!isJsonObject(value)) throw new Problem(code, { detail: `${what} is no JSON object` });
    if (Object.hasOwn(value, "__proto__"))
      throw new Problem(code, { detail: `${what} has a member named __proto__` });
    return new Members(value, code, what);
  }

  /** Refuses members that are not named. */
  only(names: readonly string[]): this {
    const stranger = Object.keys(this.#object).find((name) => !names.includes(name));
    return stranger === undefined ? this : this.#refuse(stranger.slice(0, 64), "is unknown");
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  get(name: string): Json | undefined {
    return this.has(name) ? this.#object[name] : undefined;
  }

  text(name: string, { max = 2048, pattern }: TextRule = {}): string {
    const value = this.get(name);
    if (typeof value !== "string" || value.length === 0) return this.#refuse(name, "is no text");
    if (value.length > max) return this.#refuse(name, `is longer than ${max}`);
    if (pattern?.test(value) === false) return this.#refuse(name, "is malformed");
    return value;
  }

  /** One of a closed set of texts. */
  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.get(name);
    return values.find((known) => known === value) ?? this.#refuse(name, `is none of ${values.join(", ")}`);
  }

  id<K extends IdKind>(name: string, kind: K): Id<K> {
    return parseId(kind, this.get(name)) ?? this.#refuse(name, `is no ${kind} id`);
  }

  integer(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.get(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max)
      return this.#refuse(name, `is no integer from ${min} to ${max}`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.get(name);
    return typeof value === "boolean" ? value : this.#refuse(name, "is neither true nor false");
  }

  members(name: string): Members {
    return Members.of(this.get(name), this.#code, `${this.#what}.${name}`);
  }

  object(name: string): JsonObject {
    const value = this.get(name);
    return isJsonObject(value) ? value : this.#refuse(name, "is no JSON object");
  }

  list(name: string, max: number): readonly Json[] {
    const value = this.get(name);
    if (!Array.isArray(value)) return this.#refuse(name, "is no array");
    return value.length > max ? this.#refuse(name, `has more than ${max} parts`) : value;
  }

  /** Reads a member that may be absent; null is not absent. */
  maybe<T>(name: string, read: (members: this) => T): T | undefined {
    return this.has(name) ? read(this) : undefined;
  }

  refuse(name: string, why: string): never {
    return this.#refuse(name, why);
  }

  #refuse(name: string, why: string): never {
    throw new Problem(this.#code, { detail: `${this.#what}.${name} ${why}` });
  }
}
