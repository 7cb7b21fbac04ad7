import { readFileSync } from "node:fs";
import { Secret } from "@remit/kernel";
import { z } from "zod";

/** The chains that this gateway reads, and the key with which it pays for gas on them. */
export type ChainsConfig = {
  /** By network (CAIP-2): the address of a node's JSON-RPC. */
  readonly rpcUrls: Readonly<Record<string, string>>;
  /** 32 bytes in hex. Without one there is no facilitator here. */
  readonly facilitatorKey?: Secret<string>;
  /** Whoever calls the facilitator's API must bear it. */
  readonly facilitatorToken?: Secret<string>;
  /** Tokens that the facilitator's API settles beside those that Remit knows (CAIP-19). */
  readonly assets?: readonly string[];
  /** The most that a unit of gas may cost, in gwei; 100. */
  readonly gasGweiMax?: number;
  /** How long whoever asks waits for the chain, in ms; 55 s. */
  readonly settleMs?: number;
  /** After this long without a block a transaction pays more, in ms; 20 s. */
  readonly outbidMs?: number;
};

const chain = /^(eip155:[1-9]\d{0,14})=(https?:\/\/\S+)$/;
const asset = /^eip155:[1-9]\d{0,14}\/erc20:0x[0-9a-fA-F]{40}$/;
const key = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}$/, "no 0x and 64 hex digits")
  .transform((text) => new Secret(text));

export const chainSettings = {
  /** `eip155:8453=https://node.example,eip155:84532=…` */
  REMIT_CHAINS: z
    .string()
    .transform((text) => text.split(",").map((entry) => entry.trim()))
    .refine((entries) => entries.every((entry) => chain.test(entry)), "no list of eip155:<id>=<url>")
    .optional(),
  REMIT_FACILITATOR_KEY: key.optional(),
  REMIT_FACILITATOR_KEY_FILE: z.string().min(1).optional(),
  REMIT_FACILITATOR_TOKEN: z
    .string()
    .min(16)
    .transform((text) => new Secret(text))
    .optional(),
  /** `eip155:8453/erc20:0x…,…` */
  REMIT_FACILITATOR_ASSETS: z
    .string()
    .transform((text) => text.split(",").map((entry) => entry.trim()))
    .refine((all) => all.every((one) => asset.test(one)), "no list of eip155:<id>/erc20:<address>")
    .optional(),
  REMIT_GAS_GWEI_MAX: z.coerce.number().int().min(1).max(1_000_000).optional(),
};

type ChainSettings = z.output<z.ZodObject<typeof chainSettings>>;

export function chainsConfigOf(settings: ChainSettings): { readonly chains?: ChainsConfig } {
  const { REMIT_CHAINS: entries, REMIT_FACILITATOR_TOKEN: facilitatorToken } = settings;
  if (entries === undefined) return {};
  const facilitatorKey = keyOf(settings);
  const { REMIT_FACILITATOR_ASSETS: assets } = settings;
  const gasGweiMax = settings.REMIT_GAS_GWEI_MAX;
  const rpcUrls = Object.fromEntries(
    entries.flatMap((entry) => {
      const [, network, url] = chain.exec(entry) ?? [];
      return network === undefined || url === undefined ? [] : [[network, url]];
    }),
  );
  return {
    chains: {
      rpcUrls,
      ...(facilitatorKey !== undefined && { facilitatorKey }),
      ...(facilitatorToken !== undefined && { facilitatorToken }),
      ...(assets !== undefined && { assets }),
      ...(gasGweiMax !== undefined && { gasGweiMax }),
    },
  };
}

/** From the environment, or from a file that only the gateway can read. */
function keyOf(settings: ChainSettings): Secret<string> | undefined {
  const { REMIT_FACILITATOR_KEY: given, REMIT_FACILITATOR_KEY_FILE: file } = settings;
  return given ?? (file === undefined ? undefined : key.parse(readFileSync(file, "utf8").trim()));
}
