import { type Html, html } from "./html.ts";
import { style, styleHash } from "./style.ts";

/** A whole page. Works without scripts, and says so to the browser. */
export function layout({ title, body }: { title: string; body: Html }): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Remit</title>
<style>${{ markup: style }}</style>
</head>
<body>
<main>
<p class="mark">Remit</p>
${body}
</main>
</body>
</html>
`;
  return page.markup;
}

/**
 * Headers of a page with a form. Browsers apply `form-action` to the redirects after the form too, so where the
 * application waits must be named. Framing is refused: a consent under somebody else's page is no consent (A17).
 */
export function pageHeaders(formTargets: readonly string[] = []): Record<string, string> {
  const csp = [
    "default-src 'none'",
    `style-src ${styleHash}`,
    `form-action 'self' ${formTargets.join(" ")}`.trim(),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return {
    "content-security-policy": csp.join("; "),
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
  };
}
