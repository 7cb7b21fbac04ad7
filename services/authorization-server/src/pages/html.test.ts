import { describe, expect, test } from "vitest";
import { html } from "./html.ts";
import { layout, pageHeaders } from "./layout.ts";
import { script } from "./script.ts";

describe("V06 what people wrote never becomes markup", () => {
  test.each([
    ["<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
    [`" onmouseover="x`, "&quot; onmouseover=&quot;x"],
    ["' & <", "&#39; &amp; &lt;"],
    ["&lt;", "&amp;lt;"],
  ])("V06 %s is escaped", (text, escaped) => {
    expect(html`<p title="${text}">${text}</p>`.markup).toBe(`<p title="${escaped}">${escaped}</p>`);
  });

  test("V06 only what html made is taken as markup, also in lists", () => {
    const items = ["<b>", "c"].map((text) => html`<li>${text}</li>`);
    expect(html`<ul>${items}${undefined}${3}</ul>`.markup).toBe("<ul><li>&lt;b&gt;</li><li>c</li>3</ul>");
  });
});

test("A17 a page's form may lead to us and to where the application waits, and the page is never framed", () => {
  const csp = pageHeaders({ formTargets: ["https://shop.example"] })["content-security-policy"] ?? "";
  expect(csp).toContain("form-action 'self' https://shop.example;");
  expect(csp).toContain("frame-ancestors 'none'");
  expect(csp).not.toContain("unsafe-inline");
});

test("V06 a page runs our script by its hash and no other, and a script cannot end its own tag", () => {
  const ours = script("document.title = 'ours'");
  const csp = pageHeaders({ scripts: [ours] })["content-security-policy"] ?? "";
  expect(csp).toContain(`script-src ${ours.hash};`);
  expect(csp).not.toContain("unsafe");
  expect(layout({ title: "t", body: html``, scripts: [ours] })).toContain(`<script>${ours.source}</script>`);
  expect(pageHeaders()["content-security-policy"]).not.toContain("script-src");
  expect(() => script("'</script><script>'")).toThrow(RangeError);
});
