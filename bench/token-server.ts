import { generateKeyPairSync, sign, verify } from "node:crypto";
import {
  type AuthorizationServerConfig,
  type Bootstrap,
  createAuthorizationServer,
  type Service,
} from "@remit/authorization-server";
import { createLog } from "@remit/platform/telemetry";
import { answerQuestions } from "./pinned.ts";

let service: Service | undefined;

type Wanted = { readonly config: AuthorizationServerConfig; readonly bootstrap: Bootstrap };

const floorMs = 2_000;

answerQuestions({
  start: async ({ config, bootstrap }: Wanted) => {
    service = createAuthorizationServer({
      config,
      log: createLog({ service: "authorization-server", level: "error" }),
    });
    await service.migrate();
    const bootstrapped = await service.bootstrap(bootstrap);
    await service.listen();
    return bootstrapped;
  },
  /** What cannot be gone below on this core: two verifications and one signature, in a row and nothing else. */
  floor: () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const data = Buffer.alloc(450, "a");
    const signature = sign("sha256", data, privateKey);
    let rounds = 0;
    const started = performance.now();
    while (performance.now() - started < floorMs) {
      verify("sha256", data, publicKey, signature);
      verify("sha256", data, publicKey, signature);
      sign("sha256", data, privateKey);
      rounds += 1;
    }
    return rounds / ((performance.now() - started) / 1000);
  },
  heapBytes: () => {
    for (let i = 0; i < 3; i++) globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  },
});

process.once("SIGTERM", () => void (service?.close() ?? Promise.resolve()).then(() => process.exit(0)));
