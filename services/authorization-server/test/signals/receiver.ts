import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type CompactJWSHeaderParameters, createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";

/** A security event token as the public implementation reads it. */
export type Set = {
  readonly header: CompactJWSHeaderParameters;
  readonly claims: {
    readonly iss: string;
    readonly aud: string;
    readonly jti: string;
    readonly iat: number;
    readonly txn: string;
    readonly seq: number;
    readonly sub_id: Readonly<Record<string, unknown>>;
    readonly events: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  /** Of its only event. */
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
};

export type Expected = { readonly jwksUri: string; readonly issuer: string; readonly audience: string };

/** Verifies a token by the keys that the issuer publishes. */
export async function readSet(token: string, expected: Expected): Promise<Set> {
  const keys = (await (await fetch(expected.jwksUri)).json()) as JSONWebKeySet; // jose checks it
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
    issuer: expected.issuer,
    audience: expected.audience,
    typ: "secevent+jwt",
  });
  const claims = payload as unknown as Set["claims"]; // what the tests then look at
  const [only, ...more] = Object.entries(claims.events);
  if (only === undefined || more.length > 0) throw new Error("not exactly one event");
  return { header: protectedHeader, claims, type: only[0], data: only[1] };
}

export type Posted = { readonly headers: IncomingHttpHeaders; readonly body: string; readonly at: string };
type Reply = { readonly status: number; readonly body?: object; readonly headers?: Record<string, string> };

/** A receiver of pushes, which may answer badly. */
export type SetReceiver = {
  readonly origin: string;
  readonly host: string;
  readonly posted: readonly Posted[];
  at(path: string): readonly Posted[];
  /** The next answers at a path; 202 when there is none. */
  answer(path: string, ...replies: readonly (Reply | Promise<Reply>)[]): void;
  close(): Promise<void>;
};

export async function startSetReceiver(): Promise<SetReceiver> {
  const posted: Posted[] = [];
  const answers = new Map<string, (Reply | Promise<Reply>)[]>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    const answerTo = async (): Promise<void> => {
      const at = request.url ?? "";
      posted.push({ headers: request.headers, body: Buffer.concat(chunks).toString("utf8"), at });
      const { status, body, headers } = (await answers.get(at)?.shift()) ?? { status: 202 };
      response.writeHead(status, {
        ...headers,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    request.on("end", () => void answerTo());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    origin: `http://localhost:${port}`,
    host: `localhost:${port}`,
    posted,
    at: (path) => posted.filter(({ at }) => at === path),
    answer: (path, ...replies) => void answers.set(path, [...(answers.get(path) ?? []), ...replies]),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
