import { parseConfig, run } from "@remit/platform/host";
import { z } from "zod";
import { createSandbox } from "./index.ts";

/** The sandbox as its own process; an instance of Remit reaches it as it would reach Stripe. */
const settings = {
  NODE_ENV: z.string().optional(),
  REMIT_HOST: z.string().default("127.0.0.1"),
  REMIT_PORT: z.coerce.number().int().min(0).max(65_535).default(3900),
  REMIT_DATA_DIR: z.string().min(1),
  REMIT_STRIPE_KEY: z.string().startsWith("sk_test_").optional(),
  REMIT_CHAIN_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  REMIT_WEBHOOK_URL: z.url().optional(),
  REMIT_WEBHOOK_SECRET: z.string().startsWith("whsec_").optional(),
};

run(async () => {
  const config = parseConfig(settings, process.env);
  const { REMIT_WEBHOOK_URL: url, REMIT_WEBHOOK_SECRET: secret, REMIT_STRIPE_KEY: secretKey } = config;
  const { REMIT_CHAIN_PORT: chainPort } = config;
  const sandbox = createSandbox({
    host: config.REMIT_HOST,
    port: config.REMIT_PORT,
    dataDir: config.REMIT_DATA_DIR,
    ...(secretKey === undefined ? {} : { secretKey }),
    ...(chainPort === undefined ? {} : { chainPort }),
    ...(url === undefined ? {} : { webhooks: [{ url, ...(secret === undefined ? {} : { secret }) }] }),
  });
  await sandbox.listen();
  const { origin, chain } = sandbox;
  const where =
    chain === undefined ? {} : { chain: "rpc" in chain ? { rpc: chain.rpc, usdc: chain.usdc } : chain };
  process.stdout.write(`${JSON.stringify({ service: "sandbox", origin, ...where, ready: true })}\n`);
  return { close: () => sandbox.close() };
});
