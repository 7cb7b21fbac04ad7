const inspect = Symbol.for("nodejs.util.inspect.custom");

/** A value that must not be printed: strings, JSON and inspection show `[secret]`; `reveal()` is the one way in. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect](): string {
    return "[secret]";
  }
}
