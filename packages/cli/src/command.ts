import { type Command, InvalidArgumentError } from "commander";
import { failWith } from "./output.ts";
import type { Where } from "./where.ts";

/** A command about one instance. */
export const at = (command: Command): Command =>
  command
    .option("--data-dir <directory>", "where the data is kept", process.env.REMIT_DATA_DIR ?? ".remit")
    .option("--port-base <number>", "ports are N, N+1, N+2, N+3, N+402 and N+900", portBase);

function portBase(text: string): number {
  const base = Number(text);
  if (!Number.isInteger(base)) throw new InvalidArgumentError("a whole number, such as 3000");
  return base;
}

// Commander hands over what the options above declare.
export const act =
  <O extends Where>(work: (options: O) => Promise<void>) =>
  (options: O): Promise<void> =>
    failWith(() => work(options));
