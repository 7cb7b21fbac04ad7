import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createPerson, type DevFile, type PageSeen } from "@remit/embedded";
import { note } from "../output.ts";

/** Where the browser is sent back to, and how somebody gets there. */
export type Consent = {
  readonly redirectUri: string;
  /** Resolves with the address the browser was sent to. */
  answer(
    authorizeUrl: string,
  ): Promise<{ readonly callbackUrl: string; readonly pages: readonly PageSeen[] }>;
  close(): void;
};

/** The demo's principal fills in the pages as anybody would: same pages, same cookies, same forms. */
export const consentByDemoPrincipal = (dev: DevFile): Consent => ({
  redirectUri: "http://127.0.0.1/callback",
  async answer(authorizeUrl) {
    const { email, password } = dev.principal;
    const walk = await createPerson().follow(authorizeUrl, "http://127.0.0.1/callback", {
      email,
      password,
      decision: "approve",
    });
    return { callbackUrl: walk.arrivedAt, pages: walk.pages };
  },
  close: () => {},
});

/** You consent, in your own browser; a loopback listener takes the answer (RFC 8252 §7.3). */
export async function consentByYou(dev: DevFile): Promise<Consent> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/callback") !== true) return void response.writeHead(404).end();
    response
      .writeHead(200, { "content-type": "text/html; charset=utf-8" })
      .end("<p>Thank you. The demo goes on in the terminal.</p>");
    resolve(new URL(request.url, redirectUri).href);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  // A server that listens on TCP has a port.
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return {
    redirectUri,
    async answer(authorizeUrl) {
      note(
        `\nOpen this in your browser, sign in as ${dev.principal.email} with ${dev.principal.password}, and answer:\n\n  ${authorizeUrl}\n`,
      );
      return { callbackUrl: await promise, pages: [] };
    },
    close: () => void server.close(),
  };
}
