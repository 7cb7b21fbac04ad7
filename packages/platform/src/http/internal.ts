import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { lookAt } from "./health.ts";
import type { HttpOptions } from "./options.ts";

type Shown = { readonly status: number; readonly type: string; readonly text: string };

const json = (status: number, body: unknown): Shown => ({
  status,
  type: "application/json",
  text: JSON.stringify(body),
});

/**
 * What is for those who run the machine, on a port of loopback alone: metrics, and the service's state in detail. Nothing
 * of it is on the public port but whether the service is ready.
 */
export async function serveInternal(
  options: HttpOptions,
  { port, isDraining }: { readonly port: number; readonly isDraining: () => boolean },
): Promise<Server> {
  const { metrics, log } = options;
  const ready = async (): Promise<Shown> => {
    const state = await lookAt(options, isDraining);
    return json(state.status === "ok" ? 200 : 503, state);
  };
  const pages: Readonly<Record<string, () => Promise<Shown>>> = {
    "/metrics": async () => ({ status: 200, type: metrics.registry.contentType, text: await metrics.text() }),
    "/health": ready,
    "/ready": ready,
    "/readyz": ready,
    "/livez": async () => json(200, { status: "ok" }),
    "/health/detailed": async () => {
      const [state, details] = await Promise.all([lookAt(options, isDraining), options.details?.()]);
      return json(state.status === "ok" ? 200 : 503, { ...state, ...details });
    },
  };
  const server = createServer((req, res) => {
    const page = req.method === "GET" ? pages[req.url ?? ""] : undefined;
    if (page === undefined) return void res.writeHead(404).end();
    page().then(
      ({ status, type, text }) => res.writeHead(status, { "Content-Type": type }).end(text),
      (err: unknown) => {
        log.error({ err, path: req.url }, "what operators asked for cannot be said");
        res.writeHead(500).end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = server.address() as AddressInfo; // a TCP server's address
  log.debug({ port: bound.port }, "metrics listen");
  return server;
}
