/** A piece of HTML that is safe as it stands: made by `html` alone. */
export type Html = { readonly markup: string };

type Part = string | number | Html | undefined | readonly Html[];

/** Every value is escaped unless it is Html itself, so that nobody's name or purpose becomes markup (V06). */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  markup: strings.map((text, i) => (i === 0 ? text : render(parts[i - 1]) + text)).join(""),
});

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? "");

function render(part: Part): string {
  if (part === undefined) return "";
  if (typeof part === "string" || typeof part === "number") return escape(String(part));
  return "markup" in part ? part.markup : part.map(({ markup }) => markup).join("");
}
