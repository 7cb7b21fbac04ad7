import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export type Relay = {
  readonly url: string;
  readonly seen: { delivered: number; twice: number; refused: number; late: number };
  /** Hands on what is still held back. */
  flush(): Promise<void>;
  close(): Promise<void>;
};

type Held = { readonly body: string };

const telling = /^(?:charge\.dispute\.|payment_intent\.(?:succeeded|canceled|amount_capturable_updated)$)/;
const heldMax = 60;

/**
 * Stands between Stripe and billing and is the network at its worst: of what is delivered it hands on some twice, some not until
 * much else has passed, some never before it was sent again, in any order. Chance decides, by the seed alone.
 */
export async function openRelay(
  target: () => string,
  { secret, chance }: { secret: string; chance: () => number },
): Promise<Relay> {
  const seen = { delivered: 0, twice: 0, refused: 0, late: 0 };
  const held: Held[] = [];
  const send = async ({ body }: Held): Promise<void> => {
    // Stripe signs each delivery with the time at which it is made.
    const at = Math.floor(performance.timeOrigin / 1000 + performance.now() / 1000);
    const signature = `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`;
    await fetch(target(), { method: "POST", body, headers: { "stripe-signature": signature } });
  };
  const release = (): Promise<void> | undefined => {
    const [one] = held.splice(Math.floor(chance() * held.length), 1);
    return one === undefined ? undefined : send(one);
  };
  const hear = async (request: IncomingMessage): Promise<number> => {
    const body = await text(request);
    const news = { body };
    // Most of what Stripe tells is nothing to billing: a part of it is enough.
    const { type } = JSON.parse(body) as { type: string }; // an event of the sandbox
    if (!telling.test(type) && chance() < 0.95) return 200;
    if (chance() < 0.05) {
      seen.refused++;
      return 500;
    }
    seen.delivered++;
    if (chance() < 0.3) {
      seen.late++;
      held.push(news);
    } else await send(news);
    if (chance() < 0.2) {
      seen.twice++;
      held.push(news);
    }
    while (held.length > heldMax) await release();
    return 200;
  };
  const server: Server = createServer((request, response) => {
    hear(request).then(
      (status) => response.writeHead(status).end(),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo; // a TCP server has an address with a port
  return {
    url: `http://127.0.0.1:${port}/`,
    seen,
    flush: async () => {
      while (held.length > 0) await release();
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
