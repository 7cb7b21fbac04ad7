import { createHash } from "node:crypto";

// Ink on paper, hairlines, seal red for what moves or stops money; a serif for what counts. No web font, no image, no script.
export const style = `
:root{color-scheme:light dark;--paper:#faf8f3;--sheet:#fffefb;--ink:#1c1a17;--soft:#5f5a52;--line:#d9d3c6;--seal:#9f2419;--on:#fffefb;--ring:#1f5fa8}
@media (prefers-color-scheme:dark){:root{--paper:#161513;--sheet:#1d1b18;--ink:#ece7dc;--soft:#a69f92;--line:#37332c;--seal:#e4695b;--on:#161513;--ring:#8fbdf2}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:34rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
.mark{font:600 1.05rem/1 ui-serif,Georgia,"Times New Roman",serif;letter-spacing:.02em;margin:0 0 2rem;display:flex;gap:.55rem;align-items:center}
.mark::before{content:"";width:.7rem;height:.7rem;background:var(--seal);border-radius:50%}
.sheet{background:var(--sheet);border:1px solid var(--line);padding:1.75rem 1.5rem}
h1{font:500 1.6rem/1.25 ui-serif,Georgia,"Times New Roman",serif;margin:0 0 .75rem;text-wrap:balance;overflow-wrap:anywhere}
p{margin:.5rem 0}
.soft{color:var(--soft);font-size:.925rem}
.amount{font:400 2.6rem/1.1 ui-serif,Georgia,"Times New Roman",serif;font-variant-numeric:tabular-nums;margin:1.25rem 0 .25rem;padding-top:1.25rem;border-top:1px solid var(--line)}
ul.terms{list-style:none;margin:1.25rem 0;padding:0;border-top:1px solid var(--line)}
ul.terms li{padding:.65rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem;margin:1.25rem 0 0;font-size:.875rem;color:var(--soft)}
dt{white-space:nowrap}dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin:1rem 0 .3rem;font-weight:600}
input[type=email],input[type=password]{width:100%;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--soft);border-radius:2px;padding:.6rem .7rem;min-height:2.75rem}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.75rem}
button{font:600 1rem/1 inherit;font-family:inherit;min-height:2.9rem;padding:.7rem 1.3rem;border-radius:2px;border:1px solid var(--ink);background:transparent;color:var(--ink);cursor:pointer;flex:1 1 9rem}
button.ink{background:var(--ink);color:var(--paper)}
button.seal{background:var(--seal);border-color:var(--seal);color:var(--on)}
:focus-visible{outline:3px solid var(--ring);outline-offset:2px}
.alert{border-left:3px solid var(--seal);padding:.5rem .9rem;margin:1rem 0;background:var(--paper)}
footer{margin-top:1.5rem;color:var(--soft);font-size:.85rem}
@media (prefers-reduced-motion:no-preference){button{transition:background-color .12s}}
`;

/** For `style-src`: exactly this sheet and no other. */
export const styleHash = `'sha256-${createHash("sha256").update(style).digest("base64")}'`;
