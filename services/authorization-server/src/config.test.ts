import { StartRefused } from "@remit/platform/host";
import { describe, expect, test } from "vitest";
import { readSettings } from "./config.ts";

const env = {
  DATABASE_URL: "postgres://app@localhost/remit",
  REMIT_ORIGIN: "http://localhost:3000",
  REMIT_ISSUER: "http://localhost:3000",
  REMIT_PORT: "3000",
  REMIT_SCHEMA: "authorization_server",
  REMIT_ROLE_APP: "app",
  REMIT_ROLE_RELAY: "relay",
  REMIT_ROLE_LOOKUP: "lookup",
  REMIT_DATA_DIR: "/tmp/remit",
  REMIT_BILLING_ORIGIN: "http://localhost:3003",
  REMIT_DIRECTORY_ORIGIN: "http://localhost:3002",
};

describe("settings", () => {
  test("peers are names with origins", () => {
    const peers = "billing=http://localhost:3003, directory=https://directory.example";
    const { config } = readSettings({ ...env, REMIT_PEERS: peers });
    expect(config.peers).toEqual({
      billing: "http://localhost:3003",
      directory: "https://directory.example",
    });
    expect(Object.isFrozen(config.peers)).toBe(true);
    expect(readSettings(env).config.peers).toEqual({});
  });

  test.each([
    "billing",
    "billing=localhost:3003",
    "billing=http://localhost:3003/path",
    "BILLING=http://localhost:3003",
    "billing=http://localhost:3003,=http://x",
    "billing=javascript:alert(1)",
  ])("%s is no list of peers", (peers) => {
    expect(() => readSettings({ ...env, REMIT_PEERS: peers })).toThrow(StartRefused);
  });

  test("W01 what the installation may reach, tenants may not name, unless that is said by itself", () => {
    const ours = { ...env, REMIT_OUTBOUND_ALLOW: "vault.internal:8200" };
    expect(readSettings(ours).config).toMatchObject({
      outboundAllow: ["vault.internal:8200"],
      tenantOutboundAllow: [],
    });
    const theirs = { ...env, REMIT_TENANT_OUTBOUND_ALLOW: "localhost:1, localhost:2" };
    expect(readSettings(theirs).config).toMatchObject({
      outboundAllow: [],
      tenantOutboundAllow: ["localhost:1", "localhost:2"],
    });
  });

  test.each([
    [{ REMIT_SIGNERS: "kms" }, "REMIT_KMS_REGION"],
    [{ REMIT_SIGNERS: "vault" }, "REMIT_VAULT_ADDR"],
    [{ REMIT_KEK: "kms" }, "REMIT_KMS_REGION"],
    [{ REMIT_KMS_REGION: "eu-central-1" }, "REMIT_KMS_ACCESS_KEY_ID"],
    [{ REMIT_KMS_REGION: "eu-central-1", REMIT_KMS_ACCESS_KEY_ID: "AKIA" }, "REMIT_KMS_SECRET_ACCESS_KEY"],
  ])("keys are kept nowhere that is not said how to reach: %j", (more, missing) => {
    try {
      readSettings({ ...env, ...more });
      expect.unreachable("it started");
    } catch (error) {
      expect(error).toBeInstanceOf(StartRefused);
      expect(`${String(error)} ${Object(error).remedy}`).toContain(missing);
    }
  });

  test("KMS is at its region's address, and its secret prints as none", () => {
    const { kms } = readSettings({
      ...env,
      REMIT_SIGNERS: "kms",
      REMIT_KMS_REGION: "eu-central-1",
      REMIT_KMS_ACCESS_KEY_ID: "AKIA",
      REMIT_KMS_SECRET_ACCESS_KEY: "very secret",
    }).config;
    expect(kms).toMatchObject({ endpoint: "https://kms.eu-central-1.amazonaws.com/", kek: false });
    expect(JSON.stringify(kms)).not.toContain("very secret");
  });

  test("a misspelt setting stops the start", () => {
    expect(() => readSettings({ ...env, REMIT_PEER: "" })).toThrow(/REMIT_PEER/);
  });
});
