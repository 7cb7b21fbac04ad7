import { secondMs } from "@remit/kernel";
import { type Hex, permit2Address, uptoProxyAddress } from "@remit/protocol";
import { createClient, decodeFunctionResult, encodeFunctionData, http, RpcRequestError } from "viem";
import { permitAbi, tokenAbi, topics, validSignature, walletAbi } from "./abi.ts";
import { addressTopic, type Log, type Use, useIn, type WantedTransfer } from "./logs.ts";
import { schemeOf, type TransferPayment } from "./payment.ts";

/** A chain that could not be asked, or an answer of it that nobody understands. It says nothing about any payment. */
export class ChainAway extends Error {}

export type Block = {
  readonly number: bigint;
  readonly hash: Hex;
  /** Seconds since 1970. */
  readonly time: bigint;
};

export type Receipt = {
  readonly succeeded: boolean;
  readonly block: bigint;
  readonly logs: readonly Log[];
};

export type Simulation =
  | { readonly kind: "passes"; readonly gas: bigint }
  | { readonly kind: "fails"; readonly words: string };

/** What a chain says of a payment before it is made, asked in one go. */
export type Prospect = {
  readonly assetExists: boolean;
  /** What is called is there: the token itself, or the proxy of `upto`. */
  readonly callable: boolean;
  /** The payer is a contract: it judges its signatures itself (EIP-1271). */
  readonly isWallet: boolean;
  readonly isUsed: boolean;
  readonly simulation: Simulation;
};

/** What became of bytes that were sent. */
export type Sent = "taken" | "nonce_too_low" | "underpriced" | "no_gas";

export type Authorization = Pick<WantedTransfer, "asset" | "from" | "nonce" | "scheme">;

export type FoundUse =
  | { readonly kind: "unused" }
  /** It has been used, and by a transaction that is out of reach of the search; of `upto` nothing on a chain says by which. */
  | { readonly kind: "lost" }
  | { readonly kind: "found"; readonly use: Use; readonly transaction: Hex; readonly block: bigint };

/** One EVM chain, as far as payments need it. Every call throws `ChainAway` when there is no answer. */
export type Chain = {
  readonly chainId: number;
  prospectOf(payment: TransferPayment, data: Hex): Promise<Prospect>;
  isValidSignature(wallet: Hex, digest: Hex, signature: Hex): Promise<boolean>;
  balanceOf(asset: Hex, owner: Hex): Promise<bigint>;
  /** How much of it Permit2 may move. */
  permittedOf(asset: Hex, owner: Hex): Promise<bigint>;
  /** What the token itself calls its domain; undefined for what it does not say. */
  domainOf(asset: Hex): Promise<{ readonly name?: string; readonly version?: string }>;
  /** Now, or as of a block. */
  isUsed(of: Authorization, at?: bigint): Promise<boolean>;
  /** True once no block can change it any more: a final one past `validBefore` (seconds) shows it unused. */
  isOver(of: Authorization, validBefore: bigint): Promise<boolean>;
  /** The newest block that no reorganisation undoes; 0 where the node names none. */
  finalHead(): Promise<bigint>;
  /** True once a final block is past that second, whatever was used until then. */
  isPast(second: bigint): Promise<boolean>;
  findUse(wanted: WantedTransfer): Promise<FoundUse>;
  /** The newest block, or the one of that number; undefined when there is none. */
  block(number?: bigint): Promise<Block | undefined>;
  head(): Promise<bigint>;
  fees(): Promise<{ readonly base: bigint; readonly tip: bigint }>;
  /** The signer's transactions that are in blocks. */
  transactionCount(signer: Hex): Promise<number>;
  send(raw: Hex): Promise<Sent>;
  receipt(transaction: Hex): Promise<Receipt | undefined>;
};

export type ChainOptions = {
  readonly chainId: number;
  readonly rpcUrl: string;
  /** For one call; 5 s. */
  readonly timeoutMs?: number;
  /** Of how many blocks the provider tells the events at once; 2,000. */
  readonly spanBlocks?: number;
};

type Ask = (method: string, params: readonly unknown[]) => Promise<unknown>;

// Providers bound the span of one question.
const spanBlocksDefault = 2_000;
const spansMax = 100;

export function openChain(options: ChainOptions): Chain {
  const { chainId, rpcUrl, timeoutMs = 5 * secondMs, spanBlocks = spanBlocksDefault } = options;
  const client = createClient({
    // Calls of the same moment travel together. Repeating is for who knows what a repetition means.
    transport: http(rpcUrl, { batch: { wait: 0 }, retryCount: 0, timeout: timeoutMs }),
  });
  // The methods are Ethereum's, checked where their answers are read.
  const request = client.request as (of: { method: string; params: readonly unknown[] }) => Promise<unknown>;
  const ask: Ask = (method, params) => request({ method, params });
  return {
    chainId,
    prospectOf: (payment, data) => prospectOf(ask, payment, data),
    isValidSignature: (wallet, digest, signature) => isValidSignature(ask, wallet, { digest, signature }),
    balanceOf: async (asset, owner) => big(await call(ask, asset, asksBalance(owner))),
    domainOf: (asset) => domainOf(ask, asset),
    permittedOf: async (asset, owner) => big(await call(ask, asset, asksAllowance(owner))),
    isUsed: (of, at) => isUsed(ask, of, at),
    isOver: (of, validBefore) => isOver(ask, of, validBefore),
    finalHead: async () => (await finalBlock(ask)).number,
    isPast: async (second) => (await finalBlock(ask)).time > second,
    findUse: (wanted) => findUse(ask, wanted, BigInt(spanBlocks)),
    block: (number) => blockOf(ask, number),
    head: async () => big(await told(ask, "eth_blockNumber", [])),
    fees: () => feesOf(ask),
    transactionCount: async (signer) =>
      Number(big(await told(ask, "eth_getTransactionCount", [signer, "latest"]))),
    send: (raw) => send(ask, raw),
    receipt: (transaction) => receiptOf(ask, transaction),
  };
}

/** The chain's own refusal of a call, with its words; undefined when it was not the chain that spoke. */
function wordsOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof RpcRequestError) return `${cause.code} ${cause.details || cause.shortMessage}`;
  return undefined;
}

async function told(ask: Ask, method: string, params: readonly unknown[]): Promise<unknown> {
  try {
    return await ask(method, params);
  } catch (error) {
    throw new ChainAway(`${method} was not answered`, { cause: error });
  }
}

function hex(value: unknown): Hex {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]*$/.test(value))
    throw new ChainAway("the chain's answer is no hex");
  return value as Hex; // as just seen
}

const big = (value: unknown): bigint => {
  const digits = hex(value);
  return digits === "0x" ? 0n : BigInt(digits);
};

const asksBalance = (owner: Hex): Hex =>
  encodeFunctionData({ abi: tokenAbi, functionName: "balanceOf", args: [owner] });
const asksAllowance = (owner: Hex): Hex =>
  encodeFunctionData({ abi: permitAbi, functionName: "allowance", args: [owner, permit2Address] });

/** Who keeps the record of used authorizations, what it is asked, and the bit of its answer that says so. */
function asksState({ asset, from, nonce, scheme }: Authorization): { to: Hex; data: Hex; bit: bigint } {
  if (scheme === "exact") {
    const data = encodeFunctionData({
      abi: tokenAbi,
      functionName: "authorizationState",
      args: [from, nonce],
    });
    return { to: asset, data, bit: 1n };
  }
  // Permit2 keeps 256 nonces in a word.
  const word = BigInt(nonce) >> 8n;
  const data = encodeFunctionData({ abi: permitAbi, functionName: "nonceBitmap", args: [from, word] });
  return { to: permit2Address, data, bit: 1n << (BigInt(nonce) & 255n) };
}

const shows = (answer: Hex, bit: bigint): boolean => (big(answer) & bit) !== 0n;

const call = async (ask: Ask, to: Hex, data: Hex): Promise<Hex> =>
  hex(await told(ask, "eth_call", [{ to, data }, "latest"]));

// Pending, so that what is under way already counts, and the time is now even where blocks are rare.
const pending = "pending";

async function prospectOf(ask: Ask, payment: TransferPayment, data: Hex): Promise<Prospect> {
  const { verifyingContract: asset } = payment.domain;
  const { authorization, permit } = payment.transfer;
  const { from, nonce } = authorization;
  const state = asksState({ asset, from, nonce, scheme: schemeOf(payment) });
  const to = permit === undefined ? asset : uptoProxyAddress;
  const [code, proxyCode, payerCode, used, simulation] = await Promise.all([
    told(ask, "eth_getCode", [asset, "latest"]),
    permit === undefined ? undefined : told(ask, "eth_getCode", [to, "latest"]),
    told(ask, "eth_getCode", [from, "latest"]),
    refusable(ask, state.to, state.data),
    simulated(ask, { to, data, ...(permit !== undefined && { from: permit.facilitator }) }),
  ]);
  return {
    assetExists: hex(code) !== "0x",
    callable: hex(proxyCode ?? code) !== "0x",
    isWallet: hex(payerCode) !== "0x",
    isUsed: used !== undefined && shows(used, state.bit),
    simulation,
  };
}

// What nodes say of a call that a contract refuses (code 3, or -32000 with these words). Other errors are the node's own.
const refusal = /^3 |revert|insufficient|out of gas|invalid opcode|exceeds/i;

async function simulated(
  ask: Ask,
  transaction: { readonly to: Hex; readonly data: Hex; readonly from?: Hex },
): Promise<Simulation> {
  try {
    return { kind: "passes", gas: big(await ask("eth_estimateGas", [transaction, pending])) };
  } catch (error) {
    const words = wordsOf(error);
    if (words !== undefined && refusal.test(words)) return { kind: "fails", words };
    throw new ChainAway("eth_estimateGas was not answered", { cause: error });
  }
}

async function isValidSignature(
  ask: Ask,
  wallet: Hex,
  { digest, signature }: { readonly digest: Hex; readonly signature: Hex },
): Promise<boolean> {
  const args = [digest, signature] as const;
  const data = encodeFunctionData({ abi: walletAbi, functionName: "isValidSignature", args });
  const said = await refusable(ask, wallet, data);
  if (said === undefined || said.length !== 66) return false;
  return (
    decodeFunctionResult({ abi: walletAbi, functionName: "isValidSignature", data: said }) === validSignature
  );
}

/** The answer of a contract; undefined when it refuses. */
async function refusable(ask: Ask, to: Hex, data: Hex): Promise<Hex | undefined> {
  try {
    return hex(await ask("eth_call", [{ to, data }, "latest"]));
  } catch (error) {
    if (refusal.test(wordsOf(error) ?? "")) return undefined;
    throw new ChainAway("eth_call was not answered", { cause: error });
  }
}

async function domainOf(ask: Ask, asset: Hex): Promise<{ name?: string; version?: string }> {
  const text = async (functionName: "name" | "version"): Promise<string | undefined> => {
    const data = await refusable(ask, asset, encodeFunctionData({ abi: tokenAbi, functionName }));
    try {
      return data === undefined ? undefined : decodeFunctionResult({ abi: tokenAbi, functionName, data });
    } catch {
      return undefined; // a contract may answer anything
    }
  };
  const [name, version] = await Promise.all([text("name"), text("version")]);
  return { ...(name !== undefined && { name }), ...(version !== undefined && { version }) };
}

async function isUsed(ask: Ask, of: Authorization, at?: bigint): Promise<boolean> {
  const tag = at === undefined ? "latest" : toHex(at);
  const { to, data, bit } = asksState(of);
  return shows(hex(await told(ask, "eth_call", [{ to, data }, tag])), bit);
}

async function isOver(ask: Ask, of: Authorization, validBefore: bigint): Promise<boolean> {
  const { number, time } = await finalBlock(ask);
  return time > validBefore && !(await isUsed(ask, of, number));
}

/** The newest block that no reorganisation undoes; before time began where the node names none. */
async function finalBlock(ask: Ask): Promise<{ readonly number: bigint; readonly time: bigint }> {
  const found = await told(ask, "eth_getBlockByNumber", ["finalized", false]);
  if (typeof found !== "object" || found === null || !("number" in found) || !("timestamp" in found))
    return { number: 0n, time: -1n };
  return { number: big(found.number), time: big(found.timestamp) };
}

/** Looks for the transaction that used an authorization, from the newest block back. */
async function findUse(ask: Ask, wanted: WantedTransfer, spanBlocks: bigint): Promise<FoundUse> {
  if (!(await isUsed(ask, wanted))) return { kind: "unused" };
  if (wanted.scheme === "upto") return { kind: "lost" };
  const wantedTopics = [[topics.used, topics.canceled], addressTopic(wanted.from), wanted.nonce];
  let to = big(await told(ask, "eth_blockNumber", []));
  for (let spans = 0; spans < spansMax; spans++) {
    const from = to >= spanBlocks ? to - spanBlocks + 1n : 0n;
    const range = { fromBlock: toHex(from), toBlock: toHex(to) };
    const logs = await told(ask, "eth_getLogs", [{ address: wanted.asset, topics: wantedTopics, ...range }]);
    const transaction = Array.isArray(logs) ? transactionOf(logs[0]) : undefined;
    const receipt = transaction === undefined ? undefined : await receiptOf(ask, transaction);
    if (transaction !== undefined && receipt !== undefined)
      return { kind: "found", use: useIn(receipt.logs, wanted), transaction, block: receipt.block };
    if (from === 0n) break;
    to = from - 1n;
  }
  return { kind: "lost" };
}

async function blockOf(ask: Ask, number: bigint | undefined): Promise<Block | undefined> {
  const tag = number === undefined ? "latest" : toHex(number);
  const found = await told(ask, "eth_getBlockByNumber", [tag, false]);
  if (typeof found !== "object" || found === null) return undefined;
  if (!("number" in found) || !("hash" in found) || !("timestamp" in found)) return undefined;
  return { number: big(found.number), hash: lower(found.hash), time: big(found.timestamp) };
}

const toHex = (value: bigint): Hex => `0x${value.toString(16)}`;

const transactionOf = (log: unknown): Hex | undefined =>
  typeof log === "object" && log !== null && "transactionHash" in log ? hex(log.transactionHash) : undefined;

async function feesOf(ask: Ask): Promise<{ base: bigint; tip: bigint }> {
  const [block, tip] = await Promise.all([
    told(ask, "eth_getBlockByNumber", ["latest", false]),
    told(ask, "eth_maxPriorityFeePerGas", []),
  ]);
  const base =
    typeof block === "object" && block !== null && "baseFeePerGas" in block ? block.baseFeePerGas : "0x0";
  return { base: big(base), tip: big(tip) };
}

async function send(ask: Ask, raw: Hex): Promise<Sent> {
  try {
    await ask("eth_sendRawTransaction", [raw]);
    return "taken";
  } catch (error) {
    const words = wordsOf(error) ?? "";
    if (/already (known|imported|exists)/i.test(words)) return "taken";
    if (/nonce (is )?too low/i.test(words)) return "nonce_too_low";
    if (/underpriced|max fee per gas less than block base fee|fee too low/i.test(words)) return "underpriced";
    if (/insufficient funds/i.test(words)) return "no_gas";
    throw new ChainAway("eth_sendRawTransaction was not answered", { cause: error });
  }
}

async function receiptOf(ask: Ask, transaction: Hex): Promise<Receipt | undefined> {
  const found = await told(ask, "eth_getTransactionReceipt", [transaction]);
  if (found === null || found === undefined) return undefined;
  // What Ethereum's JSON-RPC gives as a receipt; its parts are checked as they are read.
  const { status, blockNumber, logs } = found as { status?: unknown; blockNumber?: unknown; logs?: unknown };
  // A node that prepares a block may show the receipt of one that is not made yet.
  if (blockNumber === null || !Array.isArray(logs)) return undefined;
  return { succeeded: big(status) === 1n, block: big(blockNumber), logs: logs.map(logOf) };
}

function logOf(log: unknown): Log {
  const { address, topics: of, data } = log as { address?: unknown; topics?: unknown; data?: unknown };
  if (!Array.isArray(of)) throw new ChainAway("a log has no topics");
  return { address: lower(address), topics: of.map(lower), data: lower(data) };
}

const lower = (value: unknown): Hex => hex(value).toLowerCase() as Hex; // hex stays hex
