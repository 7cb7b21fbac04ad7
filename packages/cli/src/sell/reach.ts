import * as http from "node:http";
import * as https from "node:https";
import type { LookupFunction } from "node:net";

const timeoutMs = 10_000;
const bytesMax = 1024 * 1024;

export type Reached = { readonly status: number; readonly text: string };
export type Reaching = {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** Asks an address as a stranger would; the status is 0 where nobody answers. Names below localhost are this machine. */
export const reach = (url: string, { method, headers = {}, body }: Reaching): Promise<Reached> =>
  new Promise((resolve) => {
    const nobody = (): void => resolve({ status: 0, text: "" });
    const { hostname, protocol } = new URL(url);
    const { request } = protocol === "https:" ? https : http;
    const more = hostname.endsWith(".localhost") ? { lookup: toThisMachine } : {};
    const asked = request(
      url,
      { method, headers, ...more, signal: AbortSignal.timeout(timeoutMs) },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
          if (text.length > bytesMax) answer.destroy();
        });
        answer.on("close", () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    asked.on("error", nobody).end(body);
  });

/** RFC 6761 §6.3, which few resolvers know. */
const toThisMachine: LookupFunction = (_hostname, options, callback) => {
  if (options.all === true) return callback(null, [{ address: "127.0.0.1", family: 4 }]);
  callback(null, "127.0.0.1", 4);
};
