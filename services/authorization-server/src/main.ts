import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { run } from "@remit/platform/host";
import { createLog } from "@remit/platform/telemetry";
import { readSettings } from "./config.ts";
import { createAuthorizationServer } from "./service.ts";

run(async () => {
  const { config, logLevel, failpoint } = readSettings(process.env);
  setFailpoint(failpointOf(failpoint, process.env["NODE_ENV"]));
  const log = createLog({ service: "authorization-server", level: logLevel });
  const server = createAuthorizationServer({ config, log });
  if (config.migrationDatabaseUrl !== undefined) await server.migrate();
  await server.listen();
  return server;
});
