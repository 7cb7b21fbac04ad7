import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { run } from "@remit/platform/host";
import { createLog } from "@remit/platform/telemetry";
import { readBootstrap } from "./bootstrap-file.ts";
import { readSettings } from "./config.ts";
import { createAuthorizationServer, type Service } from "./service.ts";

let serving: Service | undefined;

const start = async (): Promise<Service> => {
  const { config, logLevel, failpoint, bootstrapFile } = readSettings(process.env);
  setFailpoint(failpointOf(failpoint, process.env["NODE_ENV"]));
  const log = createLog({ service: "authorization-server", level: logLevel });
  const server = createAuthorizationServer({ config, log });
  if (config.migrationDatabaseUrl !== undefined) await server.migrate();
  if (bootstrapFile !== undefined) {
    const wanted = await readBootstrap(bootstrapFile);
    // Where two replicas start at once, one may lose; then everything is there.
    const { tenant, admin, operator } = await server.bootstrap(wanted).catch(() => server.bootstrap(wanted));
    log.info({ tenant, admin: admin.clientId, operator: operator?.clientId }, "the installation is set up");
  }
  await server.listen();
  serving = server;
  return server;
};

run(start, { onHangup: () => void serving?.reload() });
