import { expectAccessible, openBrowser, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Running, startServer } from "../../services/authorization-server/test/running.ts";

let running: Running;
let browser: TestBrowser;

beforeAll(async () => {
  [running, browser] = await Promise.all([startServer(), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await running?.close();
});

test.each([
  [390, "dark"],
  [834, "light"],
  [1280, "dark"],
] as const)(
  "the API reference reads well at %i in %s, by whoever listens too, and nothing of it comes from elsewhere",
  async (width, theme) => {
    const { page } = await browser.visitor({ width, theme });
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const answer = await page.goto(`${running.issuer}/docs`);
    expect(answer?.headers()["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
    await page.locator("#postAgents > summary").click();
    await page.locator("#postAgents h3", { hasText: "Refusals" }).waitFor();
    await expectAccessible(page);
    const wider = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
    expect(wider).toBe(false);
    expect(new Set(asked.map((url) => new URL(url).origin))).toEqual(new Set([running.issuer]));
  },
);
