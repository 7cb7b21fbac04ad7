import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { run } from "@remit/platform/host";
import { createLog } from "@remit/platform/telemetry";
import { readSettings } from "./config.ts";
import { createWallet } from "./service.ts";

run(async () => {
  const { config, logLevel, failpoint } = readSettings(process.env);
  setFailpoint(failpointOf(failpoint, process.env["NODE_ENV"]));
  const wallet = createWallet({ config, log: createLog({ service: "wallet", level: logLevel }) });
  if (config.migrationDatabaseUrl !== undefined) await wallet.migrate();
  await wallet.listen();
  return wallet;
});
