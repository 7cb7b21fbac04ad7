// Ink on paper, hairlines, seal red where something ends: the same hand as the sign-in and account pages.
export const style = `
:root{color-scheme:light dark;--paper:#faf8f3;--sheet:#fffefb;--ink:#1c1a17;--soft:#5f5a52;--line:#d9d3c6;--seal:#9f2419;--good:#2f6b3c;--ring:#1f5fa8;--get:#1f5fa8}
@media (prefers-color-scheme:dark){:root{--paper:#161513;--sheet:#1d1b18;--ink:#ece7dc;--soft:#a69f92;--line:#37332c;--seal:#e4695b;--good:#86c796;--ring:#8fbdf2;--get:#8fbdf2}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",sans-serif;display:grid;grid-template-columns:minmax(0,1fr)}
.skip{position:absolute;left:-99rem}.skip:focus{left:.5rem;top:.5rem;background:var(--ink);color:var(--paper);padding:.6rem 1rem}
header,main{padding:0 1.25rem;width:100%;max-width:60rem}
header{padding-top:2.5rem}
.mark{font:600 1.05rem/1 ui-serif,Georgia,"Times New Roman",serif;margin:0 0 1.75rem;display:flex;gap:.55rem;align-items:center}
.mark::before{content:"";width:.7rem;height:.7rem;background:var(--seal);border-radius:50%}
h1{font:500 2rem/1.2 ui-serif,Georgia,"Times New Roman",serif;margin:0 0 .5rem;text-wrap:balance}
h1::first-letter{text-transform:uppercase}
h2{font:500 1.5rem/1.25 ui-serif,Georgia,"Times New Roman",serif;margin:3rem 0 .75rem}
h3{font-size:.95rem;margin:1.4rem 0 .35rem;overflow-wrap:anywhere}
h3 small{color:var(--soft);font-weight:400}
p{margin:.5rem 0}small{font-size:.875em;color:var(--soft)}
a{color:inherit;text-underline-offset:.18em;text-decoration-thickness:1px}
code,pre{font:.875rem/1.5 ui-monospace,"Cascadia Mono",Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}
nav{padding:1.5rem 1.25rem 0}
nav ul{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:0 1.1rem}
nav a{display:inline-block;padding:.6rem 0;color:var(--soft);text-decoration:none}
nav a:hover{color:var(--ink);text-decoration:underline}
nav span{font-size:.8rem;font-variant-numeric:tabular-nums;opacity:.85}
details{background:var(--sheet);border:1px solid var(--line);margin-top:-1px}
summary{display:grid;grid-template-columns:4.2rem minmax(0,1fr);gap:.15rem .75rem;padding:.8rem 1rem;cursor:pointer;align-items:baseline;list-style:none}
summary::-webkit-details-marker{display:none}
summary span{grid-column:2;color:var(--soft);font-size:.925rem}
summary:hover code{text-decoration:underline;text-underline-offset:.2em}
summary i{color:var(--seal);font-style:normal}
summary b{font:600 .8rem/1.5 ui-monospace,Menlo,Consolas,monospace;letter-spacing:.03em;color:var(--ink)}
b.get{color:var(--get)}b.post,b.put,b.patch{color:var(--good)}b.delete{color:var(--seal)}
details[open]>summary{border-bottom:1px solid var(--line)}
details>div{padding:.5rem 1rem 1.25rem}
table{border-collapse:collapse;width:100%;font-size:.925rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .9rem .45rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:500;min-width:4rem}td:last-child{padding-right:0}
.scroll{overflow-x:auto}
pre{background:var(--paper);border:1px solid var(--line);padding:.8rem 1rem;margin:.5rem 0;overflow:auto;max-height:26rem}
article{border-top:1px solid var(--line);padding:.25rem 0 1rem}
:focus-visible{outline:3px solid var(--ring);outline-offset:2px}
:target{scroll-margin-top:1rem}
@media (min-width:68rem){
body{grid-template-columns:15rem minmax(0,1fr);grid-template-rows:auto 1fr}
header{grid-column:2}main{grid-column:2}
nav{grid-column:1;grid-row:1/3;position:sticky;top:0;height:100vh;overflow:auto;padding:2.5rem 1.5rem;border-right:1px solid var(--line)}
nav ul{display:block}nav a{display:flex;justify-content:space-between;padding:.35rem 0}
header,main{padding:0 3rem}header{padding-top:2.5rem}
}
@media (min-width:48rem){summary{grid-template-columns:4.2rem minmax(0,1.1fr) minmax(0,1fr)}summary span{grid-column:3}}
@media print{details>div{display:block}nav{display:none}}
`;
