import { generateKeyPairSync, sign, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerQuestions } from "./pinned.ts";

// The ceiling of any token endpoint on this core: an HTTP exchange with node alone, and around the cryptography of a token
// nothing at all: no request is parsed, no client looked up, no first use claimed, nothing recorded.
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const data = Buffer.alloc(450, "a");
const signature = sign("sha256", data, privateKey);

/** What a request's own cryptography is: an assertion and a proof to verify, or nothing of the kind, and a token to sign. */
const verifications: Readonly<Record<string, number>> = { "/keyed": 2, "/secret": 0 };

function answer(req: IncomingMessage, res: ServerResponse): void {
  req.resume();
  req.once("end", () => {
    for (let count = verifications[req.url ?? ""] ?? 0; count > 0; count--)
      verify("sha256", data, publicKey, signature);
    const token = `${data.toString("base64url")}.${sign("sha256", data, privateKey).toString("base64url")}`;
    const body = `{"access_token":"${token}"}`;
    res.writeHead(200, {
      "DPoP-Nonce": "bare",
      "Content-Type": "application/json",
      "Content-Length": body.length,
    });
    res.end(body);
  });
}

answerQuestions({
  start: async () => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port; // a TCP server's address
  },
});
