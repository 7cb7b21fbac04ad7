import { type Html, html } from "./html.ts";
import { list } from "./parts.ts";
import { script } from "./script.ts";

/** Codes that are shown once. With `keepingScript` there are buttons to print and to copy them. */
export const keptCodes = (codes: readonly string[]): Html => html`${list(
  codes.map((code) => html`${code}`),
  "codes",
)}
<div class="actions" data-keep hidden>
<button type="button" class="plain" data-do="print">Print</button>
<button type="button" class="plain" data-do="copy">Copy</button>
<p class="soft" role="status"></p>
</div>`;

export const keepingScript = script(`
(() => {
  for (const place of document.querySelectorAll("[data-keep]")) {
    const said = place.querySelector("[role=status]");
    const codes = () => [...document.querySelectorAll("ul.codes li")].map((item) => item.textContent).join("\\n");
    place.querySelector("[data-do=print]").addEventListener("click", () => print());
    place.querySelector("[data-do=copy]").addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(codes());
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Not copied. Select the codes and copy them.";
      }
    });
    place.hidden = false;
  }
})();
`);
