import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";

/** A request as it went over the wire. */
export type Sent = {
  readonly method: string;
  readonly path: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
};

/**
 * The wire between a service and all who call it: passes on what comes, unless told to keep it, or to lose it. What is kept was
 * answered as if it had arrived, and arrives when somebody delivers it.
 */
export type Wire = {
  /** What becomes of a request; passed on unless it says otherwise. */
  decide: (sent: Sent) => "pass" | "keep" | "lose";
  readonly kept: Sent[];
  /** Sends it on, as often as it is called. Answers the status. */
  deliver(sent: Sent): Promise<number>;
  close(): Promise<void>;
};

/** Listens at `from` for whoever is at `to`. */
export async function openWire({ from, to }: { from: number; to: number }): Promise<Wire> {
  const kept: Sent[] = [];
  const on = (sent: Sent, answer?: ServerResponse): Promise<number> =>
    new Promise((resolve, reject) => {
      const { method, path, headers, body } = sent;
      const passing = request({ host: "127.0.0.1", port: to, method, path, headers }, (answered) => {
        const status = answered.statusCode ?? 502;
        answered.on("end", () => resolve(status));
        if (answer === undefined) return void answered.resume();
        answer.writeHead(status, answered.headers);
        answered.pipe(answer);
      });
      passing.on("error", (error) => {
        answer?.writeHead(502).end();
        reject(error);
      });
      passing.end(body);
    });
  const wire: Wire = {
    decide: () => "pass",
    kept,
    deliver: (sent) => on(sent),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  const server = createServer((incoming, answer) => {
    void sentBy(incoming).then(async (sent) => {
      const decided = wire.decide(sent);
      if (decided === "lose") return void answer.writeHead(503).end();
      if (decided === "pass") return void (await on(sent, answer).catch(() => undefined));
      kept.push(sent);
      answer.writeHead(202).end();
    });
  });
  await new Promise<void>((ready) => server.listen(from, "127.0.0.1", ready));
  return wire;
}

async function sentBy(incoming: IncomingMessage): Promise<Sent> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer); // a request without encoding yields Buffers
  const { method = "GET", url: path = "/", headers } = incoming;
  return { method, path, headers, body: Buffer.concat(parts) };
}
