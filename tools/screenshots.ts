import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { openBrowser, type Page, scratchFolder } from "@remit/testkit";
import { seedLife } from "../packages/cli/src/demo/life/index.ts";
import { logsAt, startEmbedded } from "../packages/embedded/src/index.ts";
import { everyPage, signInAt } from "../test/portal/visits.ts";
import { freeBase } from "../test/ports.ts";

// Every page of the portal as it is, after some days of life: paper on a desk, and ink on a phone.
const folder = path.resolve(import.meta.dirname, "../docs/screenshots");
const shapes = [
  { name: "desk", width: 1280, theme: "light" },
  { name: "phone", width: 390, theme: "dark" },
] as const;
const quality = 60;
const highestPx = 2_400;

const dataDir = scratchFolder("remit-screenshots-");
const portBase = await freeBase();
await seedLife({ dataDir, portBase });
const embedded = await startEmbedded({ dataDir, version: "screenshots", log: logsAt("error") });
const browser = await openBrowser();
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const { name, width, theme } of shapes) {
  const { page } = await browser.visitor({ width, theme });
  await signInAt(page, embedded.dev);
  for (const [title, at] of Object.entries(await everyPage(page, embedded.dev))) {
    await page.goto(embedded.dev.wallet + at, { waitUntil: "load" });
    // As soon as its scripts run, a page is as people see it.
    await page.locator(".finder.ready").waitFor();
    await writeFile(path.join(folder, `${title}.${name}.webp`), await picture(page, width));
    process.stderr.write(`${title}.${name}\n`);
  }
}
await browser.close();
await embedded.close();
await rm(dataDir, { recursive: true, force: true });

/** WebP, which the browser's own protocol makes, is a fifth of a PNG of the same page. */
async function picture(page: Page, width: number): Promise<Buffer> {
  const cdp = await page.context().newCDPSession(page);
  const height = Number(await page.evaluate("document.documentElement.scrollHeight"));
  const clip = { x: 0, y: 0, width, height: Math.min(height, highestPx), scale: 1 };
  const { data } = await cdp.send("Page.captureScreenshot", {
    format: "webp",
    quality,
    clip,
    captureBeyondViewport: true,
  });
  await cdp.detach();
  return Buffer.from(data, "base64");
}
