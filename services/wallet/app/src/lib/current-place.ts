import { tick } from "svelte";
import { page } from "$app/state";

/** A menu that is wider than the screen, moved so that the place where one is stands in its middle. */
export function showsCurrent(menu: HTMLElement): void {
  // What this reads makes it run again.
  if (page.url.pathname === "") return;
  void show(menu);
}

async function show(menu: HTMLElement): Promise<void> {
  await tick();
  // Letters of the final width: a font that arrives later moves what follows.
  await document.fonts.ready;
  const here = menu.querySelector("[aria-current]")?.getBoundingClientRect();
  const { left, width } = menu.getBoundingClientRect();
  if (here !== undefined) menu.scrollLeft += here.left + here.width / 2 - left - width / 2;
}
