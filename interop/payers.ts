import { ExactEvmScheme } from "@x402/evm";
import { UptoEvmScheme } from "@x402/evm/upto/client";
import { appendPaymentIdentifierToExtensions } from "@x402/extensions/payment-identifier";
import { wrapFetchWithPayment, x402Client, x402HTTPClient } from "@x402/fetch";
import { Mppx, stripe } from "mppx/client";
import type Stripe from "stripe";
import { createPublicClient, http, parseAbiItem } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";
import { chainId, type Instance, usdc } from "./instance.ts";
import { stripeAt } from "./references.ts";

/** A buyer with an unmodified client: pays a URL, or makes a credential for it, to be sent as one pleases. */
export type Payer = {
  fetch(url: string): Promise<Response>;
  /** The headers with which one request to the URL is paid; `identified` where the shop knows payment identifiers. */
  credential(url: string, how?: { readonly identified: boolean }): Promise<Record<string, string>>;
  /** The headers that answer a 402 that is at hand. */
  answer(unpaid: Response): Promise<Record<string, string>>;
};

/** `@x402/fetch` with its own defaults, and the schemes of `@x402/evm`. */
export function x402Payer({ payerKey, rpc }: Instance): Payer {
  const account = privateKeyToAccount(payerKey);
  const client = new x402Client()
    .register(`eip155:${chainId}`, new ExactEvmScheme(account))
    .register(`eip155:${chainId}`, new UptoEvmScheme(account, { rpcUrl: rpc }));
  const overHttp = new x402HTTPClient(client);
  const pay = async (unpaid: Response, identified = false): Promise<Record<string, string>> => {
    const wanted = overHttp.getPaymentRequiredResponse((name) => unpaid.headers.get(name), {});
    if (identified && wanted.extensions !== undefined) appendPaymentIdentifierToExtensions(wanted.extensions);
    return overHttp.encodePaymentSignatureHeader(await client.createPaymentPayload(wanted));
  };
  return {
    fetch: wrapFetchWithPayment(fetch, client),
    credential: async (url, how) => pay(await fetch(url), how?.identified),
    answer: (unpaid) => pay(unpaid),
  };
}

/** `mppx` with a token from the address that the instance names. */
export function mppPayer({ sptEndpoint }: Instance): Payer {
  const mppx = Mppx.create({
    polyfill: false,
    methods: [
      stripe.charge({
        paymentMethod: "pm_card_visa",
        createToken: async ({ challenge: _, client: __, ...wanted }) => {
          const made = await fetch(sptEndpoint, { method: "POST", body: JSON.stringify(wanted) });
          if (!made.ok) throw new TypeError(`no token: ${await made.text()}`);
          return ((await made.json()) as { spt: string }).spt;
        },
      }),
    ],
  });
  const answer = async (unpaid: Response) => ({ authorization: await mppx.createCredential(unpaid.clone()) });
  return {
    fetch: (url) => mppx.fetch(url),
    credential: async (url) => answer(await fetch(url)),
    answer,
  };
}

/** What really moved: transfers to an address on the chain, and payments at Stripe. */
export type Till = {
  transfersTo(address: string): Promise<readonly { from: string; value: bigint; transaction: string }[]>;
  payments(): Promise<readonly Stripe.PaymentIntent[]>;
};

export function openTill({ rpc, sandbox }: Instance): Till {
  const chain = createPublicClient({ chain: baseSepolia, transport: http(rpc) });
  const event = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)");
  const payments = stripeAt(sandbox);
  return {
    transfersTo: async (to) => {
      const address = to as `0x${string}`; // of this suite's own constants
      const logs = await chain.getLogs({ address: usdc, event, args: { to: address }, fromBlock: 0n });
      return logs.map(({ args, transactionHash }) => ({
        from: args.from ?? "",
        value: args.value ?? 0n,
        transaction: transactionHash,
      }));
    },
    payments: async () => {
      const all: Stripe.PaymentIntent[] = [];
      for await (const intent of payments.paymentIntents.list({ limit: 100 })) all.push(intent);
      return all;
    },
  };
}

type Entry = { readonly scheme: string; readonly amount: string };
type Settlement = { readonly success: boolean; readonly amount?: string; readonly transaction: string };

const decoded = (answer: Response, name: string): unknown => {
  const text = answer.headers.get(name);
  return text === null ? undefined : JSON.parse(Buffer.from(text, "base64").toString());
};

/** What a 402 of x402 asks for. */
export const acceptsIn = (unpaid: Response): readonly Entry[] =>
  (decoded(unpaid, "payment-required") as { accepts: Entry[] } | undefined)?.accepts ?? [];

/** What the answer says was settled. */
export const settlementIn = (answer: Response): Settlement | undefined =>
  decoded(answer, "payment-response") as Settlement | undefined;
