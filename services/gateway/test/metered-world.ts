import { minuteMs } from "@remit/kernel";
import { eventually, type TestSandbox, testSandbox } from "@remit/testkit";
import { cardWay, challengeFor, mpp } from "./payers.ts";
import { openStream, type Stream } from "./streams.ts";
import { type Answer, createAgent, merchantId, startWorld, type World } from "./world.ts";

export type Paying = (unpaid: Answer) => Promise<Record<string, string>>;

/** A shop whose prices are by use, or whose answers stream, paid by card and under mandates. */
export type MeteredWorld = {
  readonly world: World;
  readonly byMandate: Paying;
  readonly byCard: Paying;
  /** What was taken since `clean`, and how many payments are still held. */
  taken(): Promise<{ minor: number[]; held: number }>;
  /** Pays and takes the answer as it comes. */
  begin(target: string, pay: Paying): Promise<{ stream: Stream; headers: Record<string, string> }>;
  /** Time passes until the claim has come to this end. */
  ended(state: string): Promise<void>;
  clean(): Promise<void>;
  close(): Promise<void>;
};

export const chat = { method: "POST", body: '{"messages":[],"stream":true}' } as const;

// A cent for each ten thousand tokens or bytes: 0.50 at the least, 3.00 at the most.
const metered = (unit: string, unitPrice: string): object => ({
  metered: { unit, unit_price: unitPrice, ceiling_minor: 300, least_minor: 50 },
});

export async function startMeteredWorld(): Promise<MeteredWorld> {
  const sandbox = await testSandbox();
  const ways = [{ rail: "mandate" }, cardWay];
  const payments = { stripe: { secret_key: sandbox.stripe.apiKey, origin: sandbox.origin } };
  const world = await startWorld({ payments, ways });
  const route = (id: string, method: string, price: object): object => ({
    id,
    merchant: merchantId,
    method,
    path: `/${id}`,
    upstream: world.upstream.origin,
    currency: "USD",
    name: id,
    sku: id,
    ways,
    ...price,
  });
  const more = [
    route("tokens", "POST", metered("mtok", "1.00")),
    route("chat", "POST", { ...metered("mtok", "1.00"), deliver: "stream" }),
    route("bytes", "GET", { ...metered("mb", "1.00"), deliver: "stream" }),
    route("hours", "GET", { ...metered("hour", "600.00"), deliver: "stream" }),
    route("whole", "GET", { amount_minor: 500, deliver: "stream" }),
  ];
  await world.writeOffers({ more });
  await world.gateway.reload();
  let before: string[] = [];
  return {
    world,
    byMandate: async (unpaid) => createAgent(world).pay(unpaid),
    byCard: async (unpaid) =>
      mpp(challengeFor(unpaid, "stripe"), { spt: await sandbox.token({ amount: 1000 }) }),
    taken: () => takenIn(world, sandbox, before),
    begin: async (target, pay) => {
      const asked = target === "/chat" ? chat : ({ method: "GET" } as const);
      const headers = await pay(await world.ask(target, asked));
      return { stream: await openStream(world.address, target, { ...asked, headers }), headers };
    },
    ended: (state) =>
      eventually(async () => {
        world.clock.advance(minuteMs);
        const found = await world.claims();
        if (found[0]?.state !== state) throw new Error(`it is ${found[0]?.state}`);
      }),
    clean: async () => {
      await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
      world.issuer.charges.clear();
      world.issuer.calls.length = 0;
      world.issuer.trouble = () => undefined;
      world.upstream.requests.length = 0;
      before = (await sandbox.paymentIntents()).map(({ id }) => id);
    },
    close: async () => {
      await world.close();
      await sandbox.close();
    },
  };
}

async function takenIn(
  { issuer }: World,
  sandbox: TestSandbox,
  before: readonly string[],
): Promise<{ minor: number[]; held: number }> {
  const charges = [...issuer.charges.values()];
  const intents = (await sandbox.paymentIntents()).filter(({ id }) => !before.includes(id));
  return {
    minor: [
      ...charges.flatMap(({ status, captured_minor }) =>
        status === "captured" ? [captured_minor ?? -1] : [],
      ),
      ...intents.flatMap(({ status, amount_received }) => (status === "succeeded" ? [amount_received] : [])),
    ],
    held:
      charges.filter(({ status }) => !["captured", "released"].includes(status)).length +
      intents.filter(({ status }) => !["succeeded", "canceled"].includes(status)).length,
  };
}
