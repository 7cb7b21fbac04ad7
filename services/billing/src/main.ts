import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { run } from "@remit/platform/host";
import { createLog } from "@remit/platform/telemetry";
import { readSettings } from "./config.ts";
import { createBilling } from "./service.ts";

run(async () => {
  const { config, logLevel, failpoint } = readSettings(process.env);
  setFailpoint(failpointOf(failpoint, process.env["NODE_ENV"]));
  const billing = createBilling({ config, log: createLog({ service: "billing", level: logLevel }) });
  if (config.migrationDatabaseUrl !== undefined) await billing.migrate();
  await billing.listen();
  return billing;
});
