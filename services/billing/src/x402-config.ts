import { Secret } from "@remit/kernel";
import { isFacilitatorUrl } from "@remit/rails/x402";
import { z } from "zod";

/** Purchases under mandates over the x402 rail: the chains that are read, who settles on them, and whose wallets sign. */
export type X402Config = {
  /** By network (CAIP-2): the address of a node's JSON-RPC. */
  readonly rpcUrls: Readonly<Record<string, string>>;
  readonly facilitator: { readonly url: string; readonly token?: Secret<string> };
  /** Of the payers' wallets: at least 64 hex digits. */
  readonly walletSeed: Secret<string>;
  /** How deep in the chain a transfer counts; 1 unless given. */
  readonly confirmations?: number;
};

const chain = /^(eip155:[1-9]\d{0,14})=(https?:\/\/\S+)$/;

export const x402Settings = {
  /** `eip155:8453=https://node.example,eip155:84532=…` */
  REMIT_CHAINS: z
    .string()
    .transform((text) => text.split(",").map((entry) => entry.trim()))
    .refine((entries) => entries.every((entry) => chain.test(entry)), "no list of eip155:<id>=<url>")
    .optional(),
  REMIT_X402_FACILITATOR_URL: z
    .string()
    .refine(isFacilitatorUrl, "no https URL, nor http on this machine")
    .optional(),
  REMIT_X402_FACILITATOR_TOKEN: z
    .string()
    .min(16)
    .transform((text) => new Secret(text))
    .optional(),
  REMIT_WALLET_SEED: z
    .string()
    .regex(/^[0-9a-fA-F]{64,}$/, "not at least 64 hex digits")
    .transform((text) => new Secret(text))
    .optional(),
  REMIT_X402_CONFIRMATIONS: z.coerce.number().int().min(1).max(1_000).optional(),
};

type Settings = z.output<z.ZodObject<typeof x402Settings>>;

/** All of it or nothing: half a rail takes money and cannot say where it is. */
export function x402ConfigOf(settings: Settings): { readonly x402?: X402Config } {
  const { REMIT_CHAINS: entries, REMIT_X402_FACILITATOR_URL: url, REMIT_WALLET_SEED: walletSeed } = settings;
  const given = [entries, url, walletSeed].filter((one) => one !== undefined).length;
  if (given === 0) return {};
  if (entries === undefined || url === undefined || walletSeed === undefined)
    throw new TypeError(
      "REMIT_CHAINS, REMIT_X402_FACILITATOR_URL and REMIT_WALLET_SEED are given together or not at all",
    );
  const { REMIT_X402_FACILITATOR_TOKEN: token, REMIT_X402_CONFIRMATIONS: confirmations } = settings;
  const rpcUrls = Object.fromEntries(
    entries.flatMap((entry) => {
      const [, network, rpc] = chain.exec(entry) ?? [];
      return network === undefined || rpc === undefined ? [] : [[network, rpc]];
    }),
  );
  return {
    x402: {
      rpcUrls,
      facilitator: { url, ...(token !== undefined && { token }) },
      walletSeed,
      ...(confirmations !== undefined && { confirmations }),
    },
  };
}
