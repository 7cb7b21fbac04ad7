import { systemClock } from "@remit/kernel";
import { afterEach } from "vitest";
import {
  createHttp,
  type Http,
  type HttpOptions,
  type Mount,
  type Page,
  type Route,
} from "../src/http/index.ts";
import { createLog, createMetrics } from "../src/telemetry/index.ts";

/** Those that `serve` opened and that are still open, in that order. */
export const running: Http[] = [];
afterEach(async () => {
  for (const http of running.splice(0)) await http.close();
});

/** A server with these routes and nothing behind it, until the test ends; its address. */
export async function serve(
  routes: readonly (Route | Page)[],
  { mounts = [], ...options }: Partial<HttpOptions> & { mounts?: readonly Mount[] } = {},
): Promise<string> {
  const http = createHttp({
    service: "test",
    origin: "http://service.test",
    host: "127.0.0.1",
    port: 0,
    log: createLog({ service: "test", level: "silent" }),
    metrics: createMetrics("test"),
    clock: systemClock,
    ...options,
  });
  http.add(...routes);
  for (const mount of mounts) http.mount(mount);
  running.push(http);
  return http.listen();
}
