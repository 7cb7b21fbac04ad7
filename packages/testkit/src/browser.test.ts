import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addAuthenticator, expectAccessible, openBrowser, type TestBrowser } from "./browser.ts";

let browser: TestBrowser;
let server: Server;
let origin: string;

const pages: Record<string, string> = {
  "/": `<!doctype html><html lang="en"><title>t</title><main><h1>Hello</h1></main></html>`,
  "/bad": `<!doctype html><html><title>t</title><main><h1>Hello</h1><input></main></html>`,
};

beforeAll(async () => {
  server = createServer((req, res) => {
    res.setHeader("content-type", "text/html");
    res.setHeader("content-security-policy", "default-src 'none'");
    res.end(pages[req.url ?? "/"]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // It listens on a TCP port, so the address is one of these.
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  server.close();
});

test("the browser measures a page under the strictest policy, and says what is wrong with it", async () => {
  const { page } = await browser.visitor({ width: 390, theme: "dark" });
  await page.goto(origin);
  await expectAccessible(page);
  await page.goto(`${origin}/bad`);
  await expect(expectAccessible(page)).rejects.toThrow(/html-has-lang[\s\S]*label/);
});

test("a virtual authenticator makes a passkey that is synchronised, or one that stays on its device", async () => {
  for (const deviceBound of [false, true]) {
    const { page, context } = await browser.visitor();
    await page.goto(origin);
    const authenticator = await addAuthenticator(page, { deviceBound });
    const flags = await page.evaluate(async () => {
      const made = await navigator.credentials.create({
        publicKey: {
          challenge: new Uint8Array(32),
          rp: { name: "test", id: "localhost" },
          user: { id: new Uint8Array(16), name: "ada", displayName: "Ada" },
          pubKeyCredParams: [{ type: "public-key", alg: -7 }],
          authenticatorSelection: { residentKey: "required" },
        },
      });
      // `create` with publicKey gives a PublicKeyCredential of an attestation.
      const { response } = made as PublicKeyCredential & { response: AuthenticatorAttestationResponse };
      return new Uint8Array(response.getAuthenticatorData())[32];
    });
    // WebAuthn §6.1: bit 3 is backup eligibility.
    expect(((flags ?? 0) & 8) === 8).toBe(!deviceBound);
    const [credential] = await authenticator.credentials();
    expect(credential).toMatchObject({ isResidentCredential: true });
    await authenticator.setCounter(credential?.credentialId ?? "", 41);
    expect((await authenticator.credentials())[0]?.signCount).toBe(41);
    await context.close();
  }
});
