import { expectAccessible, type Page } from "@remit/testkit";
import { expect } from "vitest";

const shots = process.env["REMIT_TEST_SCREENSHOTS"];

/** The page as everybody sees it: in both themes, on a phone, a tablet and a desk. */
export async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [390, 834, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      await expectAccessible(page);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, `${name} at ${width}`).toBeLessThanOrEqual(0);
      if (shots !== undefined)
        await page.screenshot({ path: `${shots}/${name}-${colorScheme}-${width}.png`, fullPage: true });
    }
  }
}
