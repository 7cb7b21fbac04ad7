import { createHash } from "node:crypto";

// Ink on paper, hairlines, seal red for what moves or stops money; a serif for what counts. No web font, no foreign image.
export const style = `
:root{color-scheme:light dark;--paper:#faf8f3;--sheet:#fffefb;--ink:#1c1a17;--soft:#5f5a52;--line:#d9d3c6;--seal:#9f2419;--on:#fffefb;--ring:#1f5fa8;--good:#2f6b3c}
@media (prefers-color-scheme:dark){:root{--paper:#161513;--sheet:#1d1b18;--ink:#ece7dc;--soft:#a69f92;--line:#37332c;--seal:#e4695b;--on:#161513;--ring:#8fbdf2;--good:#86c796}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",sans-serif}
header,main{max-width:34rem;margin:0 auto;padding:0 1.25rem}
.wide header,.wide main{max-width:54rem}
header{padding-top:2.5rem;display:flex;flex-wrap:wrap;gap:1rem 2rem;align-items:center;justify-content:space-between;margin-bottom:2rem}
main{padding-bottom:4rem}
.skip{position:absolute;left:-99rem;top:.5rem;background:var(--ink);color:var(--paper);padding:.6rem 1rem;z-index:1}
.skip:focus{left:.5rem}
.mark{font:600 1.05rem/1 ui-serif,Georgia,"Times New Roman",serif;letter-spacing:.02em;margin:0;display:flex;gap:.55rem;align-items:center}
.mark::before{content:"";width:.7rem;height:.7rem;background:var(--seal);border-radius:50%}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0;padding:0}
nav a{display:inline-block;padding:.55rem 0;color:var(--soft);text-decoration:none;border-bottom:2px solid transparent}
nav a:hover{color:var(--ink)}
nav a[aria-current]{color:var(--ink);border-color:var(--seal)}
.sheet{background:var(--sheet);border:1px solid var(--line);padding:1.75rem 1.5rem}
.sheet+.sheet{margin-top:1.25rem}
h1{font:500 1.6rem/1.25 ui-serif,Georgia,"Times New Roman",serif;margin:0 0 .75rem;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.05rem;line-height:1.35;margin:1.75rem 0 .35rem}
p{margin:.5rem 0}
a{color:inherit;text-underline-offset:.18em;text-decoration-thickness:1px}
.soft{color:var(--soft);font-size:.925rem}
.amount{font:400 2.6rem/1.1 ui-serif,Georgia,"Times New Roman",serif;font-variant-numeric:tabular-nums;margin:1.25rem 0 .25rem;padding-top:1.25rem;border-top:1px solid var(--line)}
ul.terms{list-style:none;margin:1.25rem 0;padding:0;border-top:1px solid var(--line)}
ul.terms li{padding:.65rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
ul.codes{list-style:none;margin:1.25rem 0;padding:1rem 1.25rem;border:1px dashed var(--soft);display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.5rem 1rem;font:1rem/1.5 ui-monospace,"Cascadia Mono",Menlo,Consolas,monospace}
dl{display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem;margin:1.25rem 0 0;font-size:.875rem;color:var(--soft)}
dt{white-space:nowrap}dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin:1.1rem 0 .3rem;font-weight:600}
.hint{color:var(--soft);font-size:.875rem;margin:0 0 .35rem}
input[type=email],input[type=password],input[type=text]{width:100%;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--soft);border-radius:2px;padding:.6rem .7rem;min-height:2.75rem}
input[readonly]{border-style:dashed;color:var(--soft)}
input[inputmode=numeric]{font-variant-numeric:tabular-nums;letter-spacing:.08em}
label.tick{display:flex;gap:.6rem;align-items:baseline;font-weight:400}
input[type=checkbox]{flex:none;width:1.1rem;height:1.1rem;margin:0;accent-color:var(--ink);position:relative;top:.15rem}
a.do{display:inline-block;min-height:2.75rem;padding:.65rem .9rem;border:1px solid var(--line);border-radius:2px;font-weight:500;line-height:1.3;text-decoration:none}
a.do:hover{border-color:var(--ink)}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.75rem}
button{font:inherit;font-weight:600;line-height:1.2;min-height:2.9rem;padding:.7rem 1.3rem;border-radius:2px;border:1px solid var(--ink);background:transparent;color:var(--ink);cursor:pointer;flex:1 1 9rem}
button:hover{background:var(--paper)}
button.ink,button.ink:hover{background:var(--ink);color:var(--paper)}
button.seal,button.seal:hover{background:var(--seal);border-color:var(--seal);color:var(--on)}
button.plain{flex:none;min-height:2.75rem;padding:.5rem .9rem;font-weight:500;border-color:var(--line)}
a.button{display:block;font-weight:600;line-height:1.2;padding:.85rem 1.3rem;border:1px solid var(--ink);border-radius:2px;text-align:center;text-decoration:none;flex:1 1 9rem;overflow-wrap:anywhere}
a.button:hover{background:var(--paper)}
a.button.ink{background:var(--ink);color:var(--paper)}
.offers{display:grid;gap:.75rem;margin-top:1.25rem}
button[disabled]{opacity:.55;cursor:progress}
:focus-visible{outline:3px solid var(--ring);outline-offset:2px}
.notice{border-left:3px solid var(--soft);padding:.5rem .9rem;margin:1rem 0;background:var(--paper)}
.notice.refused{border-color:var(--seal)}
.notice.done{border-color:var(--good)}
.or{display:flex;align-items:center;gap:1rem;margin:1.75rem 0 0;color:var(--soft);font-size:.875rem}
.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
.ways{margin-top:1.5rem;padding-top:1.1rem;border-top:1px solid var(--line);display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;font-size:.925rem}
.ways a{padding:.5rem 0}
.qr{display:block;width:12.5rem;height:12.5rem;background:#fff;padding:.5rem;margin:1.25rem auto;border:1px solid var(--line)}
code{font:.95em ui-monospace,"Cascadia Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse;margin:1.25rem 0;font-size:.925rem}
caption{text-align:left;font-weight:600;padding-bottom:.5rem}
caption.heard{position:absolute;left:-99rem}
th{text-align:left;font-weight:600;color:var(--soft);font-size:.85rem}
th,td{padding:.65rem .75rem .65rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td button{min-height:2.75rem;padding:.5rem .9rem}
td>a{display:inline-block;padding:.3rem 0;margin:-.3rem 0}
td button,td>a{white-space:nowrap;overflow-wrap:normal}
@media (max-width:40rem){thead{position:absolute;left:-99rem}tr{display:block;padding:.65rem 0;border-bottom:1px solid var(--line)}td{display:grid;grid-template-columns:7.5rem 1fr;gap:.75rem;border:0;padding:.2rem 0}td::before{content:attr(data-label);color:var(--soft)}}
footer{margin-top:1.5rem;color:var(--soft);font-size:.85rem}
[hidden]{display:none!important}
@media (prefers-reduced-motion:no-preference){button{transition:background-color .12s}}
.wide .sheet>form,.wide .sheet>.actions{max-width:30rem}
.wide .qr{margin-left:0}
@media print{header,.actions,.ways,.skip{display:none}}
`;

/** For `style-src`: exactly this sheet and no other. */
export const styleHash = `'sha256-${createHash("sha256").update(style).digest("base64")}'`;
