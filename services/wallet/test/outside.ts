import { createDecipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";

const portOf = (address: AddressInfo | string | null): number => {
  if (address === null || typeof address === "string") throw new TypeError("it listens on a port");
  return address.port;
};

/** What a browser has: a key pair of its own, and a secret that it shares with whoever may write to it (RFC 8291 §2). */
export function browserKeys(given: { readonly secret?: Uint8Array; readonly auth?: Uint8Array } = {}): {
  readonly p256dh: string;
  readonly auth: string;
  open(body: Uint8Array): string;
} {
  const ecdh = createECDH("prime256v1");
  if (given.secret === undefined) ecdh.generateKeys();
  else ecdh.setPrivateKey(given.secret);
  const auth = given.auth ?? randomBytes(16);
  const derive = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", ikm, salt, info, length));
  return {
    p256dh: ecdh.getPublicKey("base64url"),
    auth: Buffer.from(auth).toString("base64url"),
    // RFC 8188 §2.1: salt, record size, the sender's key as the id of the key; then one record.
    open(body) {
      const bytes = Buffer.from(body);
      const [salt, theirs] = [bytes.subarray(0, 16), bytes.subarray(21, 21 + bytes.readUInt8(20))];
      const info = Buffer.concat([Buffer.from("WebPush: info\0"), ecdh.getPublicKey(), theirs]);
      const ikm = derive(ecdh.computeSecret(theirs), auth, info, 32);
      const key = derive(ikm, salt, Buffer.from("Content-Encoding: aes128gcm\0"), 16);
      const nonce = derive(ikm, salt, Buffer.from("Content-Encoding: nonce\0"), 12);
      const sealed = bytes.subarray(21 + theirs.length);
      const decipher = createDecipheriv("aes-128-gcm", key, nonce).setAuthTag(sealed.subarray(-16));
      const text = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
      if (text.at(-1) !== 2) throw new RangeError("the last record ends with 2");
      return text.subarray(0, -1).toString("utf8");
    },
  };
}

export type Pushed = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

/** A push service (RFC 8030 §5), which answers what it was told to; 201 otherwise. */
export async function pushService(): Promise<{
  readonly origin: string;
  readonly host: string;
  readonly pushed: Pushed[];
  readonly next: number[];
  close(): Promise<void>;
}> {
  const pushed: Pushed[] = [];
  const next: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      pushed.push({ path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(next.shift() ?? 201).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `localhost:${portOf(server.address())}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://${host}`, host, pushed, next, close };
}

/** How a letter's text is taken: accepted, refused for now or for good, or the line breaks before an answer. */
export type Taking = "accepted" | "later" | "never" | "broken";

/** A mail server (RFC 5321), as far as one letter needs it. */
export async function mailServer(): Promise<{
  readonly url: string;
  readonly letters: string[];
  /** How the next letters are taken. */
  readonly next: Taking[];
  close(): Promise<void>;
}> {
  const letters: string[] = [];
  const next: Taking[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    let text: string[] | undefined;
    let left = "";
    const take = (line: string): void => {
      if (text !== undefined && line !== ".") return void text.push(line);
      if (text !== undefined) {
        const how = next.shift() ?? "accepted";
        const letter = text.join("\r\n");
        text = undefined;
        if (how === "broken") {
          letters.push(letter);
          return void socket.destroy();
        }
        if (how === "accepted") letters.push(letter);
        return void socket.write({ accepted: "250 ok", later: "451 later", never: "550 no" }[how] + "\r\n");
      }
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === "DATA") text = [];
      if (verb === "QUIT") return void socket.end("221 bye\r\n");
      socket.write(verb === "DATA" ? "354 go on\r\n" : "250 ok\r\n");
    };
    socket.write("220 mail.example ESMTP\r\n");
    socket.on("data", (chunk: Buffer) => {
      const lines = (left + chunk.toString("utf8")).split("\r\n");
      left = lines.pop() ?? "";
      for (const line of lines) take(line);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `smtp://127.0.0.1:${portOf(server.address())}?ignoreTLS=true`, letters, next, close };
}
