import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type RpcCall = { readonly method: string; readonly params: readonly unknown[] };

/** What a node answers instead of the truth, for which it may ask; `silence` never answers whoever asked. */
export type Bend = (call: RpcCall, truth: () => Promise<unknown>) => unknown;

export const silence = Symbol("silence");
export const honest: Bend = (_, truth) => truth();

/** A node in front of a chain that lies, fails or says nothing, as it is told. */
export type BentChain = { readonly rpc: string; bend: Bend; close(): Promise<void> };

type Asked = RpcCall & { readonly id: number };

export async function bentChain(rpcUrl: string): Promise<BentChain> {
  const truthOf = async ({ method, params }: RpcCall): Promise<unknown> => {
    const answer = await fetch(rpcUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const said = (await answer.json()) as { result?: unknown; error?: unknown }; // JSON-RPC's own shape
    if (said.error !== undefined) throw new Refused(said.error);
    return said.result;
  };
  const answerTo = async (call: Asked): Promise<object | typeof silence> => {
    try {
      const result = await bent.bend(call, () => truthOf(call));
      return result === silence ? silence : { jsonrpc: "2.0", id: call.id, result };
    } catch (error) {
      const said = error instanceof Refused ? error.error : { code: -32_603, message: "bent" };
      return { jsonrpc: "2.0", id: call.id, error: said };
    }
  };
  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const asked = JSON.parse(await bodyOf(req)) as Asked | Asked[]; // what our own client sends
    const answers = await Promise.all([asked].flat().map(answerTo));
    if (answers.includes(silence)) return;
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(Array.isArray(asked) ? answers : answers[0]));
  };
  const server = createServer((req, res) => void serve(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bent: BentChain = {
    // A server that listens on a port has an address of this shape.
    rpc: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bend: honest,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return bent;
}

class Refused extends Error {
  readonly error: unknown;
  constructor(error: unknown) {
    super("the chain refused");
    this.error = error;
  }
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of req.setEncoding("utf8")) body += chunk;
  return body;
}
