import { connect } from "node:net";
import { createServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { type TestCertificate, testCertificate } from "./certificate.ts";

/** What ends TLS in front of a server: `https://localhost:<port>`, whose certificate this process trusts. */
export type TlsFront = {
  readonly port: number;
  readonly origin: string;
  close(): Promise<void>;
};

let known: TestCertificate | undefined;

/** One certificate for all: of two authorities of one name, only one would be found. */
function trusted(): TestCertificate {
  if (known !== undefined) return known;
  known = testCertificate("localhost");
  // For node:https, for undici and for the global fetch alike.
  setDefaultCACertificates([...getCACertificates("default"), known.certificate]);
  return known;
}

/** Ends TLS on a free port, and passes everything on to a port of this machine: as an ingress does it. */
export async function tlsFront(toPort: number): Promise<TlsFront> {
  const { key, certificate } = trusted();
  const sockets = new Set<{ destroy(): unknown }>();
  const server = createServer({ key, cert: certificate }, (inside) => {
    const outside = connect(toPort, "127.0.0.1");
    for (const socket of [inside, outside]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => (socket === inside ? outside : inside).destroy());
    }
    inside.pipe(outside).pipe(inside);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a server on a port has an address");
  return {
    port: address.port,
    origin: `https://localhost:${address.port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
