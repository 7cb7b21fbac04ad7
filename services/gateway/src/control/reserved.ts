const reserved = [
  "/.well-known",
  "/api/v1/offers",
  "/api/v1/keys",
  "/api/v1/purchases",
  "/api/v1/refunds",
  "/auth",
  "/discovery",
  "/docs",
  "/facilitator",
  "/health",
  "/livez",
  "/llms.txt",
  "/metrics",
  "/openapi.json",
  "/problems",
  "/readyz",
  "/verify",
];

/** The address of the gateway's own that a path of a route table would take; a `*` above it takes nothing away. */
export const reservedPart = (path: string): string | undefined =>
  reserved.find((own) => path === own || path.startsWith(`${own}/`));
