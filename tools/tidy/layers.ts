/** Who may use whom: package name → the packages it may import. The one table; docs and checks read it from here. */
const services = ["authorization-server", "wallet", "directory", "billing", "gateway"] as const;

export const layers: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  protocol: ["kernel"],
  platform: ["kernel", "protocol"],
  agent: ["kernel", "protocol"],
  merchant: ["kernel", "protocol"],
  rails: ["kernel", "protocol", "platform"],
  "authorization-server": ["kernel", "protocol", "platform"],
  wallet: ["kernel", "protocol", "platform"],
  directory: ["kernel", "protocol", "platform"],
  billing: ["kernel", "protocol", "platform", "rails"],
  gateway: ["kernel", "protocol", "platform", "rails"],
  mcp: ["kernel", "protocol", "agent", "merchant"],
  sandbox: ["kernel", "protocol", "platform"],
  embedded: ["kernel", "protocol", "platform", "sandbox", ...services],
  cli: ["kernel", "protocol", "agent", "merchant", "mcp", "embedded"],
};

/** Tests may import these besides what their own package may: a server is tried with the SDK that will call it. */
export const forTestsAlone = ["testkit", "agent"];

/** Vendor clients have one door each: module → the folders that may import it. */
export const vendorDoors: Readonly<Record<string, readonly string[]>> = {
  pg: [
    "packages/platform/src/sql",
    "packages/platform/src/embedded-postgres",
    "packages/platform/src/jobs",
    "packages/testkit/src",
  ],
  stripe: ["packages/rails/src/card", "services/billing/src/stripe"],
  "oidc-provider": ["services/authorization-server/src/oidc"],
  fastify: ["packages/platform/src/http"],
  ioredis: ["packages/platform/src/counters"],
  viem: ["packages/rails/src/x402", "packages/rails/src/wallet", "packages/testkit/src"],
  pdfkit: ["services/billing/src/paper"],
};

/** Calls that only their door may make: what is called → the files or folders that may. */
export const reservedCalls: Readonly<Record<string, readonly string[]>> = {
  "Date.now": ["packages/kernel/src/time.ts", "packages/kernel/src/ids.ts", "packages/testkit/src/clock.ts"],
  "new Date": ["packages/kernel/src/time.ts"],
  "Math.random": [],
  randomUUID: ["packages/kernel/src/ids.ts"],
  "process.env": ["*/main.ts", "packages/platform/src/host", "packages/testkit/src", "packages/cli/src"],
  fetch: [
    "packages/platform/src/outbound",
    "packages/testkit/src",
    "packages/cli/src",
    "packages/embedded/src",
  ],
  setTimeout: [
    "packages/platform/src/jobs",
    "packages/platform/src/host",
    "packages/platform/src/outbound",
    "packages/testkit/src",
    "packages/sandbox/src",
    "packages/cli/src",
    "packages/agent/src/paying/pause.ts",
  ],
  setInterval: [
    "packages/platform/src/jobs",
    "packages/platform/src/host",
    "packages/testkit/src",
    "packages/sandbox/src",
    "packages/cli/src",
  ],
  console: ["packages/cli/src"],
};
