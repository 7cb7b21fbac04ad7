import { createHmac } from "node:crypto";
import {
  type AuthorizationServerConfig,
  type Bootstrap,
  createAuthorizationServer,
  type Service,
} from "@remit/authorization-server";
import { createOutbound } from "@remit/platform/outbound";
import { createLog } from "@remit/platform/telemetry";
import { answerQuestions } from "./pinned.ts";

let service: Service | undefined;

type Wanted = { readonly config: AuthorizationServerConfig; readonly bootstrap: Bootstrap };

const floorMs = 3_000;
const inFlight = 32;

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
  /** What a worker could send at most on this core: the same guard, body and signature, and nothing written down. */
  floor: async ({ url, allow }: { readonly url: string; readonly allow: string }) => {
    const outbound = createOutbound({ allow: [allow] });
    const key = Buffer.alloc(32, 7);
    const body = JSON.stringify({ id: "evt_0", type: "mandate.revoked", data: { text: "a".repeat(300) } });
    const until = performance.now() + floorMs;
    let sent = 0;
    const one = async (): Promise<void> => {
      while (performance.now() < until) {
        const signature = createHmac("sha256", key).update(body).digest("base64");
        const headers = { "content-type": "application/json", "webhook-signature": `v1,${signature}` };
        await outbound.request({ method: "POST", url, headers, body, timeoutMs: 15_000 });
        sent += 1;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, one));
    await outbound.close();
    return sent / (floorMs / 1000);
  },
  heapBytes: () => {
    for (let i = 0; i < 3; i++) globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  },
});

process.once("SIGTERM", () => void (service?.close() ?? Promise.resolve()).then(() => process.exit(0)));
