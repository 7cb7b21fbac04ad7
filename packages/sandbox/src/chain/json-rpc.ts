import { Agent, request } from "node:http";

/** A chain's own API (JSON-RPC 2.0). An error of the chain is thrown with its words. */
export type JsonRpc = {
  call(method: string, params: readonly unknown[]): Promise<unknown>;
  close(): void;
};

const timeoutMs = 20_000;

export function jsonRpcOver(url: string): JsonRpc {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  let id = 0;
  return {
    call: async (method, params) => {
      id += 1;
      const text = await post(url, agent, JSON.stringify({ jsonrpc: "2.0", id, method, params }));
      // The shape that JSON-RPC 2.0 §5 gives an answer; the chain is ours.
      const said = JSON.parse(text) as { result?: unknown; error?: { message: string } };
      if (said.error !== undefined) throw new TypeError(`${method}: ${said.error.message}`);
      return said.result;
    },
    close: () => agent.destroy(),
  };
}

const post = (url: string, agent: Agent, body: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method: "POST", agent, headers, timeout: timeoutMs }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => void parts.push(part));
      response.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
      response.on("error", reject);
    });
    sent.on("timeout", () => sent.destroy(new TypeError("the chain does not answer")));
    sent.on("error", reject);
    sent.end(body);
  });
