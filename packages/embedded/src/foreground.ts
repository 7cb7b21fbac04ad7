import { run } from "@remit/platform/host";
import { createLog, type Log, type LogLevel } from "@remit/platform/telemetry";
import type { DevFile } from "./dev-file.ts";
import { type StartOptions, startEmbedded } from "./start.ts";

/** One logger per service, on standard error, so that standard output belongs to the command. */
export const logsAt =
  (level: LogLevel): ((service: string) => Log) =>
  (service) =>
    createLog({ service, level, destination: process.stderr, plain: process.stderr.isTTY });

/** Runs everything until a signal, or until the launcher is gone; then drains and stops all of it, the database included. */
export function runEmbedded(options: StartOptions & { readonly ready: (dev: DevFile) => void }): void {
  run(
    async () => {
      const embedded = await startEmbedded(options);
      options.ready(embedded.dev);
      return embedded;
    },
    { stopWithParent: true },
  );
}
