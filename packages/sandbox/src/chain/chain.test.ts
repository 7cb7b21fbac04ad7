import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSandbox } from "../index.ts";
import { findAnvil } from "./anvil.ts";
import { type SandboxChain, sandboxAddresses, sandboxTokens, startChain } from "./chain.ts";

const dataDir = mkdtempSync(path.join(tmpdir(), "remit-chain-"));
const started = async (port: number): Promise<SandboxChain> => {
  const chain = await startChain({ port, dataDir });
  if ("missing" in chain) throw new TypeError(chain.missing);
  return chain;
};
const balance = async (
  of: SandboxChain,
  owner: string,
  token: string = sandboxTokens.usdc,
): Promise<bigint> => {
  const data = `0x70a08231${owner.slice(2).padStart(64, "0")}`; // balanceOf(address)
  return BigInt(String(await of.call("eth_call", [{ to: token, data }, "latest"])));
};
const pid = (): number => Number(readFileSync(path.join(dataDir, "chain.pid"), "utf8"));
const lives = (process_: number): boolean => {
  try {
    return process.kill(process_, 0);
  } catch {
    return false;
  }
};

let chain: SandboxChain;
beforeAll(async () => {
  chain = await started(0);
});
afterAll(() => chain.stop());

test("a payer with dollars stands on the chain id of Base Sepolia, where its dollar is", async () => {
  expect(BigInt(String(await chain.call("eth_chainId", [])))).toBe(84_532n);
  for (const token of Object.values(sandboxTokens))
    expect(await balance(chain, sandboxAddresses.payer, token)).toBe(10_000_000_000n);
  expect(
    BigInt(String(await chain.call("eth_getBalance", [sandboxAddresses.facilitator, "latest"]))),
  ).toBeGreaterThan(10n ** 18n);
});

test("a busy port is told as one, before anything runs", async () => {
  const port = Number(new URL(chain.rpc).port);
  await expect(startChain({ port })).rejects.toMatchObject({ code: "EADDRINUSE", port });
});

test("a platform without a binary has no chain, and its sandbox runs on without", async () => {
  expect(findAnvil("sunos", "x64")).toBeUndefined();
  expect(await startChain({ port: 0, find: () => findAnvil("sunos", "x64") })).toEqual({
    missing: expect.stringContaining("no anvil") as string,
  });
});

test("a sandbox that stops leaves no chain behind", async () => {
  const of = mkdtempSync(path.join(tmpdir(), "remit-chain-"));
  const sandbox = createSandbox({ port: 0, chainPort: 0, dataDir: of });
  await sandbox.listen();
  const process_ = Number(readFileSync(path.join(of, "chain.pid"), "utf8"));
  expect(sandbox.chain).toMatchObject({ chainId: 84_532 });
  expect(lives(process_)).toBe(true);
  await sandbox.close();
  expect(lives(process_)).toBe(false);
});

test("what was paid is there after a restart, also when the one before was killed and left its chain running", async () => {
  const shop = "0x00000000000000000000000000000000000000a1";
  await chain.mint(shop, 5n);
  await chain.stop();
  chain = await started(0);
  expect(await balance(chain, shop)).toBe(5n);
  await chain.mint(shop, 2n);
  const orphan = pid();
  const port = Number(new URL(chain.rpc).port);
  chain = await started(port);
  expect(lives(orphan) && orphan === pid()).toBe(false);
  expect(await balance(chain, shop)).toBe(7n);
});
