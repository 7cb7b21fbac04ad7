import { setTimeout as pause } from "node:timers/promises";
import { findAnvil, startAnvil } from "./anvil.ts";
import {
  forgivingDollar,
  sandboxDollar,
  sandboxPermit,
  sandboxUpto,
  sandboxWallet,
  taxingDollar,
} from "./contracts.ts";

/** The number of Base Sepolia, whose dollar unmodified clients know and pay. */
const chainId = 84_532;

/** Tokens on the chain. `usdc` stands where the real one does on Base Sepolia; the other two are what payments must survive. */
export const sandboxTokens = {
  usdc: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  /** A used authorization does not revert: the call succeeds and moves nothing. */
  forgiving: "0x0000000000000000000000000000000000840001",
  /** The payee gets a hundredth less than was signed for. */
  taxing: "0x0000000000000000000000000000000000840002",
} as const;

/** Where Permit2 and x402's proxy for `upto` stand on every chain; here stand contracts of ours that behave alike. */
const permit2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";
const uptoProxy = "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002";

/** The first accounts of every anvil. Their keys are public: nothing of worth may ever be sent to them. */
export const sandboxKeys = {
  facilitator: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  payer: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  seller: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
} as const;
export const sandboxAddresses = {
  facilitator: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
  payer: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  seller: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
} as const;

// The last of anvil's accounts: what we do ourselves takes no transaction nonce of anybody who is tried out.
const steward = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720";
/** 10,000.00 of each token. */
const fortune = 10_000_000_000n;

export type ChainOptions = {
  /** 0 takes any free port. */
  readonly port: number;
  /** Where `chain.json` keeps the chain between two runs; absent, each run begins anew. */
  readonly dataDir?: string;
  /** Finds the binary: as npm brought it, unless told otherwise. */
  readonly find?: () => string | undefined;
};

type Call = (method: string, params: readonly unknown[]) => Promise<unknown>;

/** A chain on which the payer has dollars and the facilitator has gas. */
export type SandboxChain = {
  readonly rpc: string;
  readonly chainId: typeof chainId;
  readonly usdc: string;
  readonly payerKey: string;
  readonly facilitatorKey: string;
  /** Any call of the chain's own API, its switches (`anvil_…`, `evm_…`) included. */
  readonly call: Call;
  mint(to: string, units: bigint, token?: string): Promise<void>;
  /** Lets Permit2 move one of anvil's accounts' dollars by signatures, as each payer of `upto` does once. The payer has. */
  approve(owner: string, units?: bigint): Promise<void>;
  /** Makes a wallet that is a contract (EIP-1271); its address. */
  makeWallet(owner: string): Promise<string>;
  stop(): Promise<void>;
};

/** Starts the chain; says why where this platform has no binary for it. */
export async function startChain(
  options: ChainOptions,
): Promise<SandboxChain | { readonly missing: string }> {
  const binary = (options.find ?? findAnvil)();
  if (binary === undefined)
    return {
      missing: `there is no anvil for ${process.platform}-${process.arch}: without it there is no chain here, and nothing is paid by x402`,
    };
  const anvil = await startAnvil(binary, { ...options, chainId });
  const call: Call = (method, params) => anvil.rpc.call(method, params);
  try {
    await furnish(call);
  } catch (error) {
    await anvil.stop();
    throw error;
  }
  return {
    rpc: anvil.url,
    chainId,
    usdc: sandboxTokens.usdc,
    payerKey: sandboxKeys.payer,
    facilitatorKey: sandboxKeys.facilitator,
    call,
    mint: (to, units, token = sandboxTokens.usdc) => mint(call, { to, units, token }),
    approve: (owner, units = endless) => approve(call, owner, units),
    makeWallet: (owner) => makeWallet(call, owner),
    stop: () => anvil.stop(),
  };
}

/** Puts the contracts in place and mints, unless an earlier run has. */
async function furnish(call: Call): Promise<void> {
  const codes = { usdc: sandboxDollar, forgiving: forgivingDollar, taxing: taxingDollar };
  for (const [name, token] of Object.entries(sandboxTokens)) {
    if ((await call("eth_getCode", [token, "latest"])) !== "0x") continue;
    // The keys of both tables are the same three names.
    await call("anvil_setCode", [token, codes[name as keyof typeof codes]]);
    await mint(call, { to: sandboxAddresses.payer, units: fortune, token });
  }
  if ((await call("eth_getCode", [uptoProxy, "latest"])) !== "0x") return;
  await call("anvil_setCode", [permit2, sandboxPermit]);
  await approve(call, sandboxAddresses.payer, endless);
  await call("anvil_setCode", [uptoProxy, sandboxUpto]);
}

const word = (value: bigint | string): string =>
  (typeof value === "bigint" ? value.toString(16) : value.slice(2).toLowerCase()).padStart(64, "0");

const mintSelector = "0x40c10f19"; // mint(address,uint256)

async function mint(call: Call, of: { to: string; units: bigint; token: string }): Promise<void> {
  await send(call, { to: of.token, data: `${mintSelector}${word(of.to)}${word(of.units)}` });
}

const approveSelector = "0x095ea7b3"; // approve(address,uint256)
const endless = 2n ** 256n - 1n;

async function approve(call: Call, owner: string, units: bigint): Promise<void> {
  const data = `${approveSelector}${word(permit2)}${word(units)}`;
  await send(call, { from: owner, to: sandboxTokens.usdc, data });
}

async function makeWallet(call: Call, owner: string): Promise<string> {
  const { contractAddress } = await send(call, { data: `${sandboxWallet}${word(owner)}` });
  if (contractAddress === null) throw new TypeError("the wallet was not made");
  return contractAddress;
}

type Receipt = { readonly status: string; readonly contractAddress: string | null };

const minedMsMax = 10_000;
const pollMs = 2;

/** A transaction of ours. Anvil signs for its accounts, and mines at once unless told otherwise. */
async function send(call: Call, transaction: { from?: string; to?: string; data: string }): Promise<Receipt> {
  const hash = await call("eth_sendTransaction", [{ from: steward, ...transaction }]);
  for (let waitedMs = 0; waitedMs < minedMsMax; waitedMs += pollMs) {
    // What Ethereum's JSON-RPC gives as a receipt, and null before the transaction is in a block.
    const receipt = (await call("eth_getTransactionReceipt", [hash])) as Receipt | null;
    if (receipt?.status === "0x1") return receipt;
    if (receipt !== null) break;
    await pause(pollMs);
  }
  throw new TypeError(`a transaction of the sandbox failed: ${String(hash)}`);
}
