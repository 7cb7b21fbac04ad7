import { Secret } from "@remit/kernel";
import { expect, test } from "vitest";
import { z } from "zod";
import { commonConfigOf, commonSettings, parseConfig, StartRefused } from "./index.ts";

const settings = {
  DATABASE_URL: "postgres://app:hunter2@127.0.0.1/remit",
  REMIT_ORIGIN: "http://localhost:3003",
  REMIT_ISSUER: "http://localhost:3000",
  REMIT_PORT: "3003",
  REMIT_SCHEMA: "billing",
  REMIT_ROLE_APP: "remit_billing",
  REMIT_ROLE_RELAY: "remit_billing_relay",
  REMIT_ROLE_LOOKUP: "remit_billing_lookup",
  REMIT_DATA_DIR: "/var/lib/remit",
};

const refusalOf = (env: Record<string, string>): StartRefused => {
  try {
    parseConfig(commonSettings, env);
  } catch (error) {
    if (error instanceof StartRefused) return error;
  }
  throw new Error("the settings were not refused");
};

test("the common settings become the config that services take, frozen to the bottom", () => {
  const env = { ...settings, REMIT_OUTBOUND_ALLOW: "localhost:3000, 127.0.0.1:3900", PATH: "/bin" };
  const config = commonConfigOf(parseConfig(commonSettings, env));
  expect(config).toMatchObject({
    origin: "http://localhost:3003",
    port: 3003,
    host: "127.0.0.1",
    outboundAllow: ["localhost:3000", "127.0.0.1:3900"],
    livemode: false,
  });
  expect(config).not.toHaveProperty("metricsPort");
  expect(Object.isFrozen(config.roles) && Object.isFrozen(config.outboundAllow)).toBe(true);
});

test("an unknown REMIT_ name is refused: a misspelt limit is no limit", () => {
  const refusal = refusalOf({ ...settings, REMIT_OUTBOND_ALLOW: "" });
  expect(refusal.message).toContain("REMIT_OUTBOND_ALLOW");
  expect(refusal.remedy).toContain("REMIT_OUTBOUND_ALLOW");
});

test.each([
  ["REMIT_ORIGIN", "http://localhost:3003/"],
  ["REMIT_ORIGIN", "https://billing.test/path"],
  ["REMIT_ISSUER", "HTTPS://issuer.test"],
  ["REMIT_PORT", "70000"],
  ["REMIT_PORT", "3003x"],
  ["REMIT_SCHEMA", 'billing"; drop schema public'],
  ["DATABASE_URL", "mysql://hunter2@127.0.0.1/remit"],
])("%s=%s is refused by name, and its value is not printed", (name, value) => {
  const refusal = refusalOf({ ...settings, [name]: value });
  expect(refusal.message).toContain(name);
  expect(refusal.message + refusal.remedy).not.toContain("hunter2");
});

test("a missing setting is refused by name, and an empty one is missing", () => {
  const { DATABASE_URL: _, ...rest } = settings;
  expect(refusalOf(rest).message).toContain("DATABASE_URL");
  expect(refusalOf({ ...settings, REMIT_DATA_DIR: "" }).message).toContain("REMIT_DATA_DIR");
});

test("a secret setting stays a Secret when the config is frozen", () => {
  const shape = { STRIPE_KEY: z.string().transform((text) => new Secret(text)) };
  const { STRIPE_KEY } = parseConfig(shape, { STRIPE_KEY: "sk_test_1" });
  expect(STRIPE_KEY.reveal()).toBe("sk_test_1");
  expect(JSON.stringify(STRIPE_KEY)).toBe('"[secret]"');
});
