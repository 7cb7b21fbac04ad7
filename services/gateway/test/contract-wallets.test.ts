import { minuteMs, Secret, toRfc3339 } from "@remit/kernel";
import { formatSignIn, type SignIn, signInText } from "@remit/protocol";
import { randomText } from "@remit/protocol/node";
import { type SandboxChain, sandboxAddresses, sandboxKeys, testChain } from "@remit/testkit";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Headers, network } from "./payers.ts";
import { type Answer, merchantId, origin, startWorld, type World } from "./world.ts";

let chain: SandboxChain;
let world: World;
/** A contract whose owner is the sandbox's payer. */
let wallet: string;
const owner = privateKeyToAccount(sandboxKeys.payer);

beforeAll(async () => {
  chain = await testChain();
  wallet = (await chain.makeWallet(sandboxAddresses.payer)).toLowerCase();
  const chains = {
    rpcUrls: { [network]: chain.rpc, "eip155:10": "http://127.0.0.1:9" },
    facilitatorKey: new Secret(sandboxKeys.facilitator),
  };
  world = await startWorld({ realTime: true, more: { chains } });
  const route = { merchant: merchantId, method: "GET", upstream: world.upstream.origin, name: "x", sku: "x" };
  await world.writeOffers({ more: [{ ...route, id: "mine", gate: "auth", path: "/mine" }] });
  await world.gateway.reload();
});
afterAll(async () => {
  await world.close();
  await chain.stop();
});
beforeEach(() => {
  world.upstream.requests.length = 0;
});

const signInOf = (change: Partial<SignIn> = {}): SignIn => ({
  domain: "shop.test",
  address: wallet,
  uri: `${origin}/mine`,
  version: "1",
  chainId: network,
  nonce: randomText().replaceAll(/[^A-Za-z0-9]/g, "0"),
  issuedAt: toRfc3339(world.clock.now()),
  ...change,
});
async function signed(change: Partial<SignIn> = {}, by = owner): Promise<Headers> {
  const signIn = signInOf(change);
  const signature = await by.signMessage({ message: signInText(signIn) });
  return { "SIGN-IN-WITH-X": formatSignIn({ signIn, signature }) };
}
const enter = (headers: Headers): Promise<Answer> => world.ask("/mine", { headers });
const codeOf = ({ body }: Answer): unknown => (JSON.parse(body.toString()) as { code?: unknown }).code;

describe("a wallet that is a contract (ERC-1271) at an auth gate", () => {
  test("a key that the contract does not know opens nothing, however often it is tried", async () => {
    const headers = await signed({}, privateKeyToAccount(generatePrivateKey()));
    for (const _ of [1, 2, 3]) {
      const refused = await enter(headers);
      expect([refused.status, codeOf(refused)]).toEqual([401, "sign_in_invalid"]);
    }
    expect(world.upstream.requests).toEqual([]);
  });

  test.each<[string, Partial<SignIn>]>([
    ["an address without a contract", { address: `0x${"c0".repeat(20)}` }],
    ["a contract that judges no signatures", { address: "token" }],
    ["a chain that is not read here", { chainId: "eip155:1" }],
    ["another host", { domain: "other.test" }],
    ["a text of long ago", { issuedAt: "2026-01-01T00:00:00Z" }],
  ])("%s is refused", async (_, { address = wallet, ...more }) => {
    const at = address === "token" ? chain.usdc : address;
    const refused = await enter(await signed({ ...more, address: at }));
    expect([refused.status, codeOf(refused)]).toEqual([401, "sign_in_invalid"]);
    expect(world.upstream.requests).toEqual([]);
  });

  test("a text that was changed after it was signed is refused", async () => {
    const signIn = signInOf();
    const signature = await owner.signMessage({ message: signInText(signIn) });
    const changed = { ...signIn, nonce: `${signIn.nonce}0` };
    const refused = await enter({ "SIGN-IN-WITH-X": formatSignIn({ signIn: changed, signature }) });
    expect([refused.status, codeOf(refused)]).toEqual([401, "sign_in_invalid"]);
  });

  test("a wallet that is not on its chain yet (ERC-6492) hears so", async () => {
    const signature = `0x${"00".repeat(96)}${"6492".repeat(16)}`;
    const refused = await enter({ "SIGN-IN-WITH-X": formatSignIn({ signIn: signInOf(), signature }) });
    expect([refused.status, refused.body.toString()]).toEqual([401, expect.stringContaining("ERC-6492")]);
  });

  test("a chain that does not answer is an outage, and lets nobody in", async () => {
    const refused = await enter(await signed({ chainId: "eip155:10" }));
    expect([refused.status, codeOf(refused)]).toEqual([503, "unavailable"]);
    expect(world.upstream.requests).toEqual([]);
  });

  test("its owner comes in once by a text, as that contract on that chain, and for a day by a session", async () => {
    const headers = await signed();
    expect((await enter(headers)).status).toBe(200);
    const named = `${network}:${wallet}`;
    expect(world.upstream.requests[0]?.headers["x-verified-wallet"]).toBe(named);
    expect(codeOf(await enter(headers))).toBe("sign_in_invalid");
    const message = signInText(signInOf());
    const body = JSON.stringify({ message, signature: await owner.signMessage({ message }) });
    const session = await world.ask("/auth/verify", { method: "POST", body });
    const { token, wallet: told } = JSON.parse(session.body.toString()) as { token: string; wallet: string };
    expect(told).toBe(named);
    const bearer = (given: string): Promise<Answer> => enter({ authorization: `Bearer ${given}` });
    expect((await bearer(token)).status).toBe(200);
    expect(world.upstream.requests[1]?.headers["x-verified-wallet"]).toBe(named);
    // Neither a contract's session nor a key's can be bent into the other.
    for (const bent of [token.slice(0, -2), `${token}AA`, `siwx_${token.slice(16)}`])
      expect((await bearer(bent)).status).toBe(401);
    world.clock.advance(25 * 60 * minuteMs);
    expect((await bearer(token)).status).toBe(401);
  });
});
