import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { run } from "@remit/platform/host";
import { createLog } from "@remit/platform/telemetry";
import { readSettings } from "./config.ts";
import { createDirectory } from "./service.ts";

run(async () => {
  const { config, logLevel, failpoint } = readSettings(process.env);
  setFailpoint(failpointOf(failpoint, process.env["NODE_ENV"]));
  const directory = createDirectory({ config, log: createLog({ service: "directory", level: logLevel }) });
  if (config.migrationDatabaseUrl !== undefined) await directory.migrate();
  await directory.listen();
  return directory;
});
