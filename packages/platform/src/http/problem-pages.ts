import { createHash } from "node:crypto";
import { isProblemCode, Problem, type ProblemCode, problems } from "@remit/protocol";
import { z } from "zod";
import { type Page, page } from "./route.ts";

const style = `:root{color-scheme:light dark}body{max-width:40rem;margin:4rem auto;padding:0 1.5rem;font:1rem/1.6 system-ui,sans-serif;color:light-dark(#1c1b19,#ece8e0);background:light-dark(#fbfaf7,#171614)}h1{font:500 1.6rem/1.3 Georgia,serif}code{font-size:.95em}a{color:inherit}dt{margin-top:1.2rem;color:light-dark(#57534b,#aaa49a)}dd{margin:0}li{margin:.3rem 0}`;
const policy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; frame-ancestors 'none'`;
const headers = { "Cache-Control": "public, max-age=3600", "Content-Security-Policy": policy };

/** A page per problem code, at the address that `type` of each refusal names (RFC 9457 §3.1.1). */
export const problemPages = (): Page[] => [
  page({
    method: "GET",
    path: "/docs/problems",
    handle: () => ({ status: 200, headers, html: html("Every refusal of Remit", list()) }),
  }),
  page({
    method: "GET",
    path: "/docs/problems/:code",
    params: z.object({ code: z.string() }),
    handle: (_call, { params: { code } }) => {
      if (!isProblemCode(code)) throw new Problem("not_found");
      return { status: 200, headers, html: html(problems[code].title, detailsOf(code)) };
    },
  }),
];

const detailsOf = (code: ProblemCode): string => {
  const { status, remedy } = problems[code];
  return `<dl><dt>Code</dt><dd><code>${code}</code></dd><dt>Status</dt><dd>${status}, unless the answer says otherwise</dd><dt>What to do</dt><dd>${escape(remedy)}</dd></dl><p><a href="/docs/problems">All codes</a></p>`;
};

const list = (): string =>
  `<ul>${Object.entries(problems)
    .map(
      ([code, { title }]) =>
        `<li><a href="/docs/problems/${code}"><code>${code}</code></a> ${escape(title)}</li>`,
    )
    .join("")}</ul>`;

const html = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${style}</style></head><body><main><h1>${escape(title)}</h1>${body}</main></body></html>`;

const escape = (text: string): string =>
  text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] ?? sign);
