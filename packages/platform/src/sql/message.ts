import { invariant } from "@remit/kernel";
import type { PoolClient, QueryResult, Connection as Wire } from "pg";
import { parserOf } from "./parsers.ts";
import type { SqlValue, Statement } from "./statement.ts";

/** What a statement answered: the rows it found, how many it touched, and what it was to PostgreSQL. */
export type Answer = {
  readonly rows: readonly unknown[];
  readonly count: number;
  readonly command: string;
};

/** How the rows of a prepared statement are read. */
type Shape = readonly { readonly name: string; readonly parse: (text: string) => unknown }[];

/** What each connection has prepared, by the name of the statement. */
const preparedOn = new WeakMap<PoolClient, Map<string, Shape>>();

/**
 * Runs statements one after the other, in one message if the connection has met them all: the first that fails takes those
 * after it along (PostgreSQL, "Extended Query": after an error all is skipped until Sync). One that it has not met goes alone.
 */
export async function sendTogether(
  client: PoolClient,
  statements: readonly Statement[],
  msMaxEach: number,
): Promise<Answer[]> {
  const prepared = preparedOn.get(client) ?? new Map<string, Shape>();
  preparedOn.set(client, prepared);
  // One without a name is planned for its own values each time: what was parsed before under no name was another.
  if (statements.every(({ name }) => name !== "" && prepared.has(name))) {
    const shapes = statements.map(({ name }) => prepared.get(name) ?? []);
    return new Promise((resolve, reject) => {
      client.query(new Message({ statements, shapes, msMaxEach, resolve, reject }));
    });
  }
  const answers: Answer[] = [];
  for (const { name, text, values } of statements) {
    const result: QueryResult = await client.query({ name, text, values: values.map(toWire) });
    if (name !== "") prepared.set(name, shapeOf(result));
    answers.push({ rows: result.rows, count: result.rowCount ?? 0, command: result.command });
  }
  return answers;
}

const shapeOf = ({ fields }: QueryResult): Shape =>
  fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }));

type MessageOptions = {
  readonly statements: readonly Statement[];
  readonly shapes: readonly Shape[];
  readonly msMaxEach: number;
  readonly resolve: (answers: Answer[]) => void;
  readonly reject: (error: unknown) => void;
};

/** A query as the driver knows it: it calls these by their names. */
class Message {
  readonly query_timeout: number;
  readonly #options: MessageOptions;
  readonly #answers: Answer[] = [];
  #rows: unknown[] = [];
  #broken: unknown;

  constructor(options: MessageOptions) {
    this.#options = options;
    this.query_timeout = options.msMaxEach * options.statements.length;
  }

  /** The driver puts its own timer around it. */
  callback = (error: unknown, answers?: Answer[]): void => {
    if (answers === undefined) this.#options.reject(error);
    else this.#options.resolve(answers);
  };

  submit(wire: Wire): void {
    const bound = this.#options.statements.map(({ name, values }) => ({
      statement: name,
      values: values.map(toWire),
    }));
    wire.stream.cork();
    for (const each of bound) {
      wire.bind(each, true);
      wire.execute(null, true);
    }
    wire.sync();
    wire.stream.uncork();
  }

  handleRowDescription(): void {
    invariant(false, "nobody asks for what a prepared statement answers");
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const shape = this.#options.shapes[this.#answers.length] ?? [];
    const row: Record<string, unknown> = {};
    try {
      for (const [at, { name, parse }] of shape.entries()) {
        const text = fields[at] ?? null;
        row[name] = text === null ? null : parse(text);
      }
    } catch (error) {
      this.#broken ??= error;
    }
    this.#rows.push(row);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const [command = ""] = text.split(" ", 1);
    this.#answers.push({ rows: this.#rows, count: Number(/\d+$/.exec(text)?.[0] ?? 0), command });
    this.#rows = [];
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: "" });
  }

  handleError(error: unknown): void {
    this.callback(error);
  }

  handleReadyForQuery(): void {
    if (this.#broken !== undefined) this.callback(this.#broken);
    else this.callback(undefined, this.#answers);
  }
}

/** A value as the extended protocol takes it: text, but bytes as they are. */
function toWire(value: SqlValue): string | Buffer | null {
  if (value === null || typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return typeof value === "object" ? `{${value.map(elementOf).join(",")}}` : String(value);
}

/** An element of an array (PostgreSQL, "Array Input and Output Syntax"): quoted, so that it is never taken for null or a brace. */
const elementOf = (value: string | number | bigint): string =>
  `"${String(value).replace(/[\\"]/g, String.raw`\$&`)}"`;
