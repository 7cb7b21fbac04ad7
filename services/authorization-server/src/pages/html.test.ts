import { describe, expect, test } from "vitest";
import { html } from "./html.ts";
import { pageHeaders } from "./layout.ts";

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
  const csp = pageHeaders(["https://shop.example"])["content-security-policy"] ?? "";
  expect(csp).toContain("form-action 'self' https://shop.example;");
  expect(csp).toContain("frame-ancestors 'none'");
  expect(csp).not.toContain("unsafe-inline");
});
