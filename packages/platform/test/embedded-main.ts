// The other process of the tests: `embedded-main.ts DIRECTORY` starts a database there and stops it on SIGTERM.
import { startPostgres } from "@remit/platform/embedded-postgres";
import { createLog } from "@remit/platform/telemetry";

const postgres = await startPostgres({
  dataDir: process.argv[2] ?? "",
  log: createLog({ service: "test", level: "silent" }),
});
process.once("SIGTERM", () => void postgres.stop().then(() => process.exit(0)));
process.stdout.write("ready\n");
process.stdin.resume();
setInterval(() => undefined, 60_000);
