import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { type JsonObject, mandatePayload, type PaymentRequirement } from "@remit/protocol";
import { evmPayload, transfer, transferWay } from "./payers.ts";
import { type RailsWorld, startRailsWorld } from "./rails.ts";
import {
  byMethod,
  byScheme,
  challengeOf,
  connectTo,
  payMpp,
  payX402,
  rpc,
  startTools,
  type Tools,
  type Unpaid,
} from "./tool-server.ts";
import { type Agent, type Answer, createAgent, merchantId } from "./world.ts";

/** A shop whose MCP server is sold by its tools, on every rail, and an official client at its door. */
export type McpWorld = RailsWorld & {
  readonly tools: Tools;
  readonly agent: Agent;
  readonly client: Client;
  /** One message as it is written, in the client's session. */
  raw(message: unknown, headers?: Record<string, string>): Promise<Answer & { json: JsonObject }>;
  states(): Promise<string[]>;
  /** The tools that were called, in their order. */
  ran(): string[];
  reset(): Promise<void>;
  /** Transfers to the seller since the last reset. */
  moved(): Promise<number>;
};

export const toolRoute = (tool: string, upstream: string, change: object = {}): object => ({
  id: `tool-${tool}`,
  merchant: merchantId,
  method: "POST",
  path: "/mcp",
  tool,
  upstream,
  amount_minor: 1000,
  currency: "USD",
  name: `The tool ${tool}`,
  sku: tool,
  serve_by_s: 1,
  ways: [{ rail: "mandate" }, { rail: "card", network_id: "profile_shop" }, transferWay],
  ...change,
});

export const free = { gate: "free", amount_minor: undefined, currency: undefined };

export async function startMcpWorld(): Promise<McpWorld> {
  const world = await startRailsWorld();
  const tools = startTools();
  world.upstream.answer = (req, res) => tools.answer(req, res);
  const sold = ["report", "sibling", "fails", "throws"].map((tool) => toolRoute(tool, world.upstream.origin));
  await world.writeOffers({ more: [...sold, toolRoute("echo", world.upstream.origin, free)] });
  await world.gateway.reload();
  const client = await connectTo(world.address);
  let before = 0;
  return {
    ...world,
    get address() {
      return world.address;
    },
    tools,
    agent: createAgent(world),
    client,
    raw: async (message, headers) => {
      // The transport knows under which name the shop knows the session.
      const session = { "mcp-session-id": String(client.transport?.sessionId) };
      const answer = await world.ask("/mcp", rpc(message, { ...session, ...headers }));
      return { ...answer, json: JSON.parse(answer.body.toString() || "{}") };
    },
    states: async () => (await world.claims()).map(({ state }) => state),
    ran: () => tools.calls.map(({ name }) => name),
    moved: async () => (await world.transfers()) - before,
    reset: async () => {
      await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
      world.issuer.charges.clear();
      tools.calls.length = 0;
      tools.requests.length = 0;
      tools.says.clear();
      tools.trouble = undefined;
      before = await world.transfers();
    },
    close: async () => {
      await client.close();
      await world.close();
    },
  };
}

export type Pays = (world: McpWorld, unpaid: Unpaid) => Promise<JsonObject>;

export const present = ({ agent }: McpWorld, entry: PaymentRequirement): JsonObject =>
  mandatePayload(agent.present(entry));
const token = ({ sandbox }: McpWorld): Promise<string> => sandbox.token({ amount: 1000 });

export const byMandate: Pays = async (world, unpaid) => {
  const entry = byScheme(unpaid, "mandate");
  return payX402(entry, present(world, entry));
};
export const byTransfer: Pays = async (_, unpaid) => payX402(byScheme(unpaid, "exact"), await transfer());

/** Every rail, in the words of both conventions. */
export const payers: readonly [string, Pays][] = [
  ["a mandate, in x402's words", byMandate],
  [
    "a card, in x402's words",
    async (world, unpaid) => payX402(byScheme(unpaid, "card"), { spt: await token(world) }),
  ],
  ["a transfer, in x402's words", byTransfer],
  [
    "a mandate, in MPP's words",
    async (world, unpaid) => payMpp(byMethod(unpaid, "oid4ac"), present(world, byScheme(unpaid, "mandate"))),
  ],
  [
    "a card, in MPP's words",
    async (world, unpaid) => payMpp(byMethod(unpaid, "stripe"), { spt: await token(world) }),
  ],
  [
    "a transfer, in MPP's words",
    async (_, unpaid) => {
      const challenge = byMethod(unpaid, "evm");
      return payMpp(challenge, await evmPayload(challengeOf(challenge)));
    },
  ],
];
