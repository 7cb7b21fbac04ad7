import type { ChainAsset } from "../offers/index.ts";

/** A chain by the name that people use, and the USDC on it. */
export type Chain = { readonly name: string; readonly network: string; readonly usdc: ChainAsset };

type Usdc = { readonly id: number; readonly address: string; readonly domain?: string };

// Circle's contracts, and what their EIP-712 domains say.
const chain = (name: string, { id, address, domain = "USD Coin" }: Usdc): Chain => ({
  name,
  network: `eip155:${id}`,
  usdc: { address, decimals: 6, name: domain, version: "2" },
});

export const chains: readonly Chain[] = [
  chain("base", { id: 8453, address: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913" }),
  chain("base-sepolia", {
    id: 84_532,
    address: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
    domain: "USDC",
  }),
  chain("ethereum", { id: 1, address: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" }),
  chain("polygon", { id: 137, address: "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359" }),
  chain("polygon-amoy", {
    id: 80_002,
    address: "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582",
    domain: "USDC",
  }),
  chain("avalanche", { id: 43_114, address: "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E" }),
  chain("fuji", { id: 43_113, address: "0x5425890298aed601595a70AB815c96711a31Bc65" }),
  chain("arbitrum-one", { id: 42_161, address: "0xaf88d065e77c8cC2239327C5EDb3A432268e5831" }),
  chain("arbitrum-sepolia", { id: 421_614, address: "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d" }),
];

/** By name or by CAIP-2. */
export const chainOf = (name: string): Chain | undefined =>
  chains.find((known) => known.name === name || known.network === name);
