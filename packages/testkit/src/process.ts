export type StartProcess = {
  /** Path of a main.ts. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  /** Started once a line of stdout or stderr matches. */
  readonly readyWhen: RegExp;
  readonly args?: readonly string[];
};

export type TestProcess = {
  readonly pid: number;
  /** Everything it wrote so far, both streams. */
  output(): string;
  /** Waits for a line that matches. */
  line(pattern: RegExp): Promise<string>;
  /** Resolves with code and signal once it has ended. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it if it runs, and starts the same again, with other settings if given. */
  restart(env?: Readonly<Record<string, string>>): Promise<TestProcess>;
};

/** Starts a program under this Node, from source. It is killed at the latest when the test run ends. */
export declare function startProcess(start: StartProcess): Promise<TestProcess>;
