import { newId, systemClock } from "@remit/kernel";
import { exactEvmPayload, type Hex, type JsonObject } from "@remit/protocol";
import { eventually, sandboxKeys } from "@remit/testkit";
import { decodeFunctionData, type Hash, parseAbi, parseSignature, serializeSignature } from "viem";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GatewayProcess } from "./gateway-process.ts";
import {
  challengeFor,
  entryFor,
  type Headers,
  mpp,
  payByTransfer,
  signIn,
  version1,
  version2,
} from "./payers.ts";
import { type RailsProcesses, startRailsProcesses } from "./rails-process.ts";
import { type Answer, createAgent } from "./world.ts";

// Two gateways that are processes of their own, on one database: whatever one takes, the other knows.
let shop: RailsProcesses;
let one: GatewayProcess;
let two: GatewayProcess;

beforeAll(async () => {
  shop = await startRailsProcesses();
  one = await shop.start();
  two = await shop.start();
});
afterAll(() => shop.close());
beforeEach(() => shop.forget());

const many = 248;
const both = (nth: number): GatewayProcess => (nth % 2 === 0 ? one : two);
const codeOf = ({ body }: Answer): string => JSON.parse(body.toString()).code;
const isReplay = ({ headers }: Answer): boolean => headers["idempotent-replayed"] === "true";

/** All at once, every second one to the other process. */
const askAll = (target: string, headers: Headers): Promise<Answer[]> =>
  Promise.all(Array.from({ length: many }, (_, nth) => both(nth).ask(target, { headers })));

type Door = {
  readonly by: "charges" | "cards" | "transfers";
  /** Whoever sees the credential on the chain has it too, so that it alone fetches nothing. */
  readonly isPublic?: true;
  readonly pay: (unpaid: Answer) => Promise<Headers> | Headers;
};

const doors: readonly [string, Door][] = [
  ["a mandate", { by: "charges", pay: (unpaid) => createAgent(shop.world).pay(unpaid) }],
  [
    "a card",
    {
      by: "cards",
      pay: async (unpaid) =>
        mpp(challengeFor(unpaid, "stripe"), { spt: await shop.sandbox.token({ amount: 1000 }) }),
    },
  ],
  [
    "a transfer that names a secret of the payer's",
    { by: "transfers", pay: (unpaid) => payByTransfer(unpaid, newId("request")) },
  ],
  [
    "a transfer that the chain shows whole",
    { by: "transfers", isPublic: true, pay: (unpaid) => payByTransfer(unpaid) },
  ],
];

const nothing = { charges: 0, cards: 0, transfers: 0 };

describe("248 parallel requests with one credential, over two processes", () => {
  test.each(doors)(
    "C03 C04 by %s: served once, paid once, also after both were started again",
    async (_, door) => {
      const headers = await door.pay(await one.ask("/demo/report"));
      const answers = await askAll("/demo/report", headers);
      const goods = answers.filter(({ status }) => status === 200);
      expect(goods.filter((answer) => !isReplay(answer))).toHaveLength(1);
      expect(new Set(goods.map(({ body }) => body.toString()))).toEqual(new Set(["the report"]));
      if (door.isPublic) expect(goods).toHaveLength(1);
      expectRefused(answers);
      expect(shop.world.upstream.requests).toHaveLength(1);
      expect(await shop.taken()).toEqual({ ...nothing, [door.by]: 1 });

      await Promise.all([one.kill("SIGTERM"), two.kill("SIGKILL")]);
      [one, two] = await Promise.all([shop.startAgain(one), shop.startAgain(two)]);
      const later = await askAll("/demo/report", headers);
      const stored = later.filter((answer) => answer.status === 200);
      expect(stored).toHaveLength(door.isPublic ? 0 : many);
      expect(stored.every((answer) => isReplay(answer) && answer.body.toString() === "the report")).toBe(
        true,
      );
      expectRefused(later);

      const sibling = await askAll("/demo/other", headers);
      for (const { status, body } of sibling) {
        expect(status).toBeGreaterThanOrEqual(402);
        expect(status).toBeLessThan(500);
        expect(body.toString()).not.toContain("the report");
      }
      await shop.settled();
      expect(shop.world.upstream.requests).toHaveLength(1);
      expect(await shop.taken()).toEqual({ ...nothing, [door.by]: 1 });
    },
  );
});

/** Who did not get the goods was told to wait, or that they are somebody's already; nothing else. */
function expectRefused(answers: readonly Answer[]): void {
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    expect(answer.status, answer.body.toString()).toBe(409);
    expect(["charge_in_progress", "already_settled"]).toContain(codeOf(answer));
    expect(answer.body.toString()).not.toContain("the report");
  }
}

describe("a client that hangs up after it has paid", () => {
  /** Pays one process and is gone while the upstream is at work, which then ends. */
  async function payAndGo(door: Door): Promise<Headers> {
    const { upstream } = shop.world;
    const headers = await door.pay(await one.ask("/demo/report"));
    const gone = new AbortController();
    let finish = (): void => undefined;
    upstream.answer = (_, res) => void (finish = () => void res.end("the report"));
    const asked = one.ask("/demo/report", { headers, signal: gone.signal });
    await eventually(() => expect(upstream.requests).toHaveLength(1));
    gone.abort();
    await expect(asked).rejects.toThrow();
    finish();
    await eventually(async () => expect(await shop.world.claims()).toMatchObject([{ state: "captured" }]));
    return headers;
  }

  test.each(doors.filter(([, { isPublic }]) => !isPublic))(
    "M13 by %s: fetches what was made for it at the other process",
    async (_, door) => {
      const headers = await payAndGo(door);
      const answer = await two.ask("/demo/report", { headers });
      expect([answer.status, answer.body.toString(), isReplay(answer)]).toEqual([200, "the report", true]);
      expect(shop.world.upstream.requests).toHaveLength(1);
      expect(await shop.taken()).toEqual({ ...nothing, [door.by]: 1 });
    },
  );

  test("M13 by a transfer that the chain shows whole: a stranger who copies it from there gets nothing, its payer the goods", async () => {
    const headers = await payAndGo(doors[3]?.[1] ?? expect.fail("there is such a door"));
    const copied = await newestTransfer();
    const now = systemClock.now();
    const unpaid = await two.ask("/demo/report");
    const accepted = entryFor(unpaid, "exact");
    const strangers: Headers[] = [
      version2(accepted, copied),
      version2(accepted, copied, newId("request")),
      version1({ scheme: "exact", network: "base-sepolia", payload: copied }),
      { ...version2(accepted, copied), "Idempotency-Key": newId("request") },
      { ...version2(accepted, copied), ...(await signIn(now, { key: sandboxKeys.seller })) },
    ];
    for (const [nth, shown] of strangers.entries()) {
      const refused = await both(nth).ask("/demo/report", { headers: shown });
      expect([refused.status, codeOf(refused)]).toEqual([409, "already_settled"]);
      expect(refused.body.toString()).not.toContain("the report");
    }
    const proof = await signIn(now);
    const fetched = await two.ask("/demo/report", { headers: { ...headers, ...proof } });
    expect([fetched.status, fetched.body.toString(), isReplay(fetched)]).toEqual([200, "the report", true]);
    expect(shop.world.upstream.requests).toHaveLength(1);
    expect(await shop.taken()).toEqual({ ...nothing, transfers: 1 });
  });
});

const calls = parseAbi([
  "function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
  "function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
]);

/** The payment that the newest settlement carried out, as anybody can read it from the chain. */
async function newestTransfer(): Promise<JsonObject> {
  const [{ settlement } = { settlement: "" }] = await shop.world.database.asAdmin<{ settlement: string }>(
    `select settlement from ${shop.world.database.schema}.claims`,
  );
  const { input } = (await shop.chain.call("eth_getTransactionByHash", [settlement])) as { input: Hex };
  const { args } = decodeFunctionData({ abi: calls, data: input });
  const [from, to, value, validAfter, validBefore, nonce, ...signed] = args;
  return exactEvmPayload({
    authorization: {
      from: lower(from),
      to: lower(to),
      value,
      validAfter,
      validBefore,
      nonce,
    },
    signature: signatureOf(signed),
  });
}

const lower = (text: string): Hex => text.toLowerCase() as Hex; // an address begins with 0x

function signatureOf(signed: readonly [Hex] | readonly [number, Hash, Hash]): Hex {
  if (signed.length === 1) return serializeSignature(parseSignature(signed[0]));
  const [v, r, s] = signed;
  return serializeSignature({ v: BigInt(v), r, s, yParity: v - 27 });
}
