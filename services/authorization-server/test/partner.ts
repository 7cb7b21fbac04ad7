import { generateKeyPairSync, type KeyObject, randomBytes, sign as signBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import { systemClock } from "@remit/kernel";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, signJws } from "@remit/protocol/node";

export const nowS = (): number => Math.floor(systemClock.now() / 1000);
export const randomJti = (): string => randomBytes(16).toString("base64url");
export const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Somebody else's issuer: a small server of its own with its own keys, and whatever answer a test wants of it. */
export class Partner {
  readonly key: PrivateJwk = generateJwk("ES256", "partner-es");
  readonly rsa: KeyObject;
  readonly jwks: { keys: object[] };
  /** What the JWKS address answers; undefined: `jwks`. */
  answer: { status: number; body: string } | undefined;
  fetches = 0;
  readonly #server: Server;
  #origin = "";

  constructor(modulusLength = 2048) {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
    this.rsa = privateKey;
    const rsaJwk = { ...publicKey.export({ format: "jwk" }), kid: "partner-rs", alg: "RS256", use: "sig" };
    this.jwks = { keys: [publicJwkOf(this.key), rsaJwk] };
    this.#server = createServer((_, response) => {
      this.fetches += 1;
      const { status, body } = this.answer ?? { status: 200, body: JSON.stringify(this.jwks) };
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(0, "127.0.0.1", () => {
        const address = this.#server.address();
        this.#origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
        resolve();
      });
    });
  }

  get origin(): string {
    return this.#origin;
  }

  /** `host:port`, for `outboundAllow`. */
  get host(): string {
    return new URL(this.#origin).host;
  }

  get jwksUri(): string {
    return `${this.#origin}/.well-known/jwks`;
  }

  /** Members that are undefined are left out. */
  sign(claims: object, header: object = {}, key: PrivateJwk = this.key): string {
    // What a test leaves out on purpose is undefined here and absent in JSON.
    return signJws(key, { typ: "JWT", ...header }, JSON.parse(JSON.stringify(claims)));
  }

  signRs256(claims: object, header: object = {}, key: KeyObject = this.rsa): string {
    const input = `${part({ alg: "RS256", typ: "JWT", kid: "partner-rs", ...header })}.${part(claims)}`;
    return `${input}.${signBytes("sha256", Buffer.from(input), key).toString("base64url")}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.closeAllConnections();
      this.#server.close(() => resolve());
    });
  }
}
