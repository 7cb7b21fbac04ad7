/** What `start` gave back: closed once, when the process is told to stop. */
export type Running = { close(): Promise<void> };

export type Host = {
  /** Registers something to close when stopping, the last first. */
  onStop(close: () => Promise<void>): void;
};

/** Runs a service until a signal, or until its parent is gone. Drains at most 30 s. Exit codes: 0, 1 failed, 2 refused to start. */
export declare function run(start: (host: Host) => Promise<Running>): void;
