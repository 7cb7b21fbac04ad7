import { z } from "zod";
import type { HttpOptions } from "./options.ts";
import { type Route, route } from "./route.ts";

const Health = z.object({
  status: z.enum(["ok", "failing", "draining"]),
  service: z.string(),
  version: z.string(),
  checks: z.record(z.string(), z.enum(["ok", "failing"])),
});

type HealthBody = z.infer<typeof Health>;

export const healthPaths: ReadonlySet<string> = new Set(["/livez", "/readyz", "/ready", "/health"]);

/** `/livez`: the process runs. `/readyz`, `/ready` and `/health`: what it needs works too, each check by name. */
export function healthRoutes(options: HttpOptions, isDraining: () => boolean): Route[] {
  const look = () => lookAt(options, isDraining);
  const ready = (path: string) =>
    route({
      method: "GET",
      path,
      summary: "Whether the service is ready, check by check.",
      needs: "public",
      answers: { 200: Health, 503: Health },
      handle: async () => {
        const body = await look();
        return body.status === "ok"
          ? { status: 200, body }
          : { status: 503, body, headers: { "Retry-After": "1" } };
      },
    });
  const live = route({
    method: "GET",
    path: "/livez",
    summary: "Whether the process runs.",
    needs: "public",
    answers: { 200: z.object({ status: z.literal("ok") }) },
    handle: () => ({ status: 200, body: { status: "ok" as const } }),
  });
  return [live, ready("/readyz"), ready("/ready"), ready("/health")];
}

export async function lookAt(options: HttpOptions, isDraining: () => boolean): Promise<HealthBody> {
  const { log, ready = {}, watched = {} } = options;
  const [needed, others] = await Promise.all([
    carriedOut(ready, (check, err) => log.warn({ check, err }, "a readiness check fails")),
    carriedOut(watched, (check, err) => log.warn({ check, err }, "somebody must look")),
  ]);
  const well = needed.every(([, state]) => state === "ok");
  const status = isDraining() ? "draining" : well ? "ok" : "failing";
  return {
    status,
    service: options.service,
    version: options.version ?? "0",
    checks: Object.fromEntries([...needed, ...others]),
  };
}

const carriedOut = (
  checks: Readonly<Record<string, () => Promise<void>>>,
  failed: (check: string, err: unknown) => void,
): Promise<[string, "ok" | "failing"][]> =>
  Promise.all(
    Object.entries(checks).map(async ([name, check]): Promise<[string, "ok" | "failing"]> => {
      try {
        await check();
        return [name, "ok"];
      } catch (err) {
        failed(name, err);
        return [name, "failing"];
      }
    }),
  );
