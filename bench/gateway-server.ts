import { createGateway, type Service } from "@remit/gateway";
import { createLog } from "@remit/platform/telemetry";
import { answerQuestions } from "./pinned.ts";

type Config = Parameters<typeof createGateway>[0]["config"];

let gateway: Service | undefined;

answerQuestions({
  start: async (config: Config) => {
    gateway = createGateway({ config, log: createLog({ service: "gateway", level: "error" }) });
    await gateway.migrate();
    return await gateway.listen();
  },
  /** What a process holds, its heap swept: streams must not pile up in it. */
  memory: () => {
    for (let i = 0; i < 3; i++) globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    return { heapUsed, rss };
  },
});

process.once("SIGTERM", () => void (gateway?.close() ?? Promise.resolve()).then(() => process.exit(0)));
