import { createProgram } from "@remit/cli";
import { isJsonObject, type JsonObject } from "@remit/protocol";
import { vi } from "vitest";

type Ran = {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What `--json` printed. */
  readonly object: JsonObject;
};

/** Runs commands of `remit` about the instance of a data directory, as a terminal would, but in this process. */
export const commandsOf =
  (dataDir: string, ...before: readonly string[]) =>
  async (...args: readonly string[]): Promise<Ran> => {
    const said = { out: "", err: "" };
    const listen = (stream: NodeJS.WriteStream, name: keyof typeof said) =>
      vi.spyOn(stream, "write").mockImplementation((text, ...more) => {
        said[name] += String(text);
        // Some wait until it is written.
        for (const written of more) if (typeof written === "function") written();
        return true;
      });
    const spies = [
      listen(process.stdout, "out"),
      listen(process.stderr, "err"),
      vi.spyOn(process, "exit").mockImplementation((code) => {
        throw new Exited(Number(code ?? 0));
      }),
    ];
    const kept = process.exitCode;
    process.exitCode = undefined;
    try {
      const words = [...before, ...args, "--data-dir", dataDir];
      const code = await createProgram()
        .parseAsync(words, { from: "user" })
        .then(() => Number(process.exitCode ?? 0), exitCodeOf);
      const object: unknown = /^\{(?!.*\}\n\{)/s.test(said.out) ? JSON.parse(said.out) : undefined;
      return { code, ...said, object: isJsonObject(object) ? object : {} };
    } finally {
      process.exitCode = kept;
      for (const spy of spies) spy.mockRestore();
    }
  };

class Exited extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exited with ${code}`);
    this.code = code;
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Exited) return error.code;
  throw error;
}
