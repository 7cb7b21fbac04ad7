import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { browserFiles } from "./browser-files.ts";

export type { BrowserContext, Page } from "playwright-core";

export type Visit = {
  readonly width?: number;
  readonly theme?: "light" | "dark";
  /** False: a person whose browser runs no script. */
  readonly scripts?: boolean;
};

export type TestBrowser = {
  /** Somebody with cookies of their own. */
  visitor(how?: Visit): Promise<{ context: BrowserContext; page: Page }>;
  close(): Promise<void>;
};

/** A real browser (Chromium, without a window). One per test file: it takes a second to start. */
export async function openBrowser(): Promise<TestBrowser> {
  const { executable, env } = await browserFiles();
  const args = ["--no-sandbox", "--disable-gpu"];
  const browser: Browser = await chromium.launch({ executablePath: executable, args, env });
  return {
    visitor: async ({ width = 1280, theme = "light", scripts = true } = {}) => {
      const viewport = { width, height: 900 };
      // Nothing moves: what is measured is what stays.
      const still = { reducedMotion: "reduce" } as const;
      const context = await browser.newContext({
        ...still,
        viewport,
        colorScheme: theme,
        javaScriptEnabled: scripts,
      });
      return { context, page: await context.newPage() };
    },
    close: () => browser.close(),
  };
}

/** A passkey store that a test holds in its hand (WebAuthn §11, virtual authenticators). */
export type VirtualAuthenticator = {
  credentials(): Promise<readonly VirtualCredential[]>;
  /** False: the person does not show who they are, by finger or PIN. */
  verifiesUser(verifies: boolean): Promise<void>;
  /** Sets the counter of signatures, as a copied key would have it. */
  setCounter(credentialId: string, count: number): Promise<void>;
  remove(): Promise<void>;
};

export type VirtualCredential = {
  readonly credentialId: string;
  readonly signCount: number;
  readonly isResidentCredential: boolean;
};

/**
 * Gives the page an authenticator: a phone or laptop whose passkeys are synchronised, or with `deviceBound` a security
 * key whose only ones these are.
 */
export async function addAuthenticator(
  page: Page,
  { deviceBound = false }: { deviceBound?: boolean } = {},
): Promise<VirtualAuthenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      ctap2Version: "ctap2_1",
      transport: deviceBound ? "usb" : "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      defaultBackupEligibility: !deviceBound,
      defaultBackupState: !deviceBound,
    },
  });
  const read = () => cdp.send("WebAuthn.getCredentials", { authenticatorId });
  return {
    credentials: async () => (await read()).credentials,
    verifiesUser: async (isUserVerified) => {
      await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
    },
    setCounter: async (credentialId, signCount) => {
      const credential = (await read()).credentials.find((one) => one.credentialId === credentialId);
      if (credential === undefined) throw new RangeError("the authenticator has no such credential");
      await cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId });
      await cdp.send("WebAuthn.addCredential", { authenticatorId, credential: { ...credential, signCount } });
    },
    remove: async () => {
      await cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
    },
  };
}

let axe: Promise<string> | undefined;

type Violation = { readonly id: string; readonly help: string; readonly nodes: readonly string[] };

/** Throws what axe finds wrong with the page as it is now, rule by rule, with the elements. */
export async function expectAccessible(page: Page): Promise<void> {
  axe ??= readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  // Through the debugger: the page's policy would not let it in otherwise. Half a megabyte: once for each page.
  if (await page.evaluate("typeof axe === 'undefined'")) await page.evaluate(await axe);
  const found = await page.evaluate<readonly Violation[]>(
    `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
      violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html + " " + node.failureSummary) })))`,
  );
  if (found.length === 0) return;
  const said = found.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.join("\n  ")}`);
  throw new Error(`${page.url()} is not accessible:\n${said.join("\n")}`);
}
