import { type ClientRequest, type IncomingMessage, request } from "node:http";

/** What a buyer has of an answer that streams. */
export type Stream = {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** So far. */
  body(): string;
  /** How it ended, once it has. */
  readonly over: Promise<"whole" | "cut">;
  trailers(): NodeJS.Dict<string>;
  /** Resolves when so much has come. */
  until(text: string): Promise<void>;
  hangUp(): void;
};

/** Asks for an answer and takes it as it comes. */
export async function openStream(
  address: string,
  target: string,
  asked: { readonly headers?: Record<string, string>; readonly method?: string; readonly body?: string } = {},
): Promise<Stream> {
  const { hostname, port } = new URL(address);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { method = "GET", headers = {} } = asked;
  const req: ClientRequest = request({
    hostname,
    port,
    path: target,
    method,
    headers: { host: "shop.test", ...headers },
  });
  req.on("response", resolve).on("error", reject).end(asked.body);
  const res = await promise;
  let body = "";
  const waiting = new Set<() => void>();
  res.setEncoding("utf8").on("data", (text: string) => {
    body += text;
    for (const look of waiting) look();
  });
  const over = new Promise<"whole" | "cut">((done) => {
    res
      .on("end", () => done("whole"))
      .on("error", () => done("cut"))
      .on("close", () => done("cut"));
  });
  return {
    status: res.statusCode ?? 0,
    headers: res.headers,
    body: () => body,
    over,
    trailers: () => res.trailers,
    until: (text) =>
      new Promise((done) => {
        const look = (): void => {
          if (!body.includes(text)) return;
          waiting.delete(look);
          done();
        };
        waiting.add(look);
        look();
      }),
    hangUp: () => void req.destroy(),
  };
}
