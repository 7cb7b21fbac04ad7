import { type Html, html } from "./html.ts";
import type { Script } from "./script.ts";
import { style, styleHash } from "./style.ts";

export type NavItem = { readonly href: string; readonly text: string; readonly current?: boolean };

export type PageParts = {
  readonly title: string;
  readonly body: Html;
  /** Places beside this page, for somebody who is signed in. */
  readonly nav?: readonly NavItem[];
  /** Name the same ones in `pageHeaders`. */
  readonly scripts?: readonly Script[];
  /** For tables; a page that asks one thing is narrow. */
  readonly wide?: boolean;
};

/** A whole page. Whatever it is for works without scripts, passkeys apart. */
export function layout({ title, body, nav, scripts = [], wide = false }: PageParts): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Remit</title>
<style>${{ markup: style }}</style>
</head>
<body${wide ? { markup: ' class="wide"' } : undefined}>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="mark">Remit</p>
${nav === undefined ? undefined : navigation(nav)}
</header>
<main id="main">
${body}
</main>
${scripts.map(({ source }) => html`<script>${{ markup: source }}</script>\n`)}</body>
</html>
`;
  return page.markup;
}

const navigation = (items: readonly NavItem[]): Html => html`<nav aria-label="Account"><ul>
${items.map(
  ({ href, text, current }) =>
    html`<li><a href="${href}"${current === true ? { markup: ' aria-current="page"' } : undefined}>${text}</a></li>\n`,
)}</ul></nav>`;

export type PageRights = {
  /** Where the form may lead besides us. */
  readonly formTargets?: readonly string[];
  readonly scripts?: readonly Script[];
};

/**
 * Headers of a page with a form. Browsers apply `form-action` to the redirects after the form too, so where the
 * application waits must be named. Framing is refused: a consent under somebody else's page is no consent (A17).
 */
export function pageHeaders({ formTargets = [], scripts = [] }: PageRights = {}): Record<string, string> {
  const csp = [
    "default-src 'none'",
    `style-src ${styleHash}`,
    ...(scripts.length === 0 ? [] : [`script-src ${scripts.map(({ hash }) => hash).join(" ")}`]),
    // QR codes are written into the page.
    "img-src data:",
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
