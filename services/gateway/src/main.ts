import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { run } from "@remit/platform/host";
import { createLog } from "@remit/platform/telemetry";
import { readSettings } from "./config.ts";
import { createGateway, type Service } from "./service.ts";

let gateway: Service | undefined;

run(
  async () => {
    const { config, logLevel, failpoint } = readSettings(process.env);
    setFailpoint(failpointOf(failpoint, process.env["NODE_ENV"]));
    gateway = createGateway({ config, log: createLog({ service: "gateway", level: logLevel }) });
    if (config.migrationDatabaseUrl !== undefined) await gateway.migrate();
    await gateway.listen();
    return gateway;
  },
  // A wrong file is told of in the log, and the former offers stay.
  { onHangup: () => void gateway?.reload().catch(() => undefined) },
);
