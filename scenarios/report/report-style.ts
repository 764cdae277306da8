/** The page's one style sheet: light and dark by the reader's preference, nothing loaded from elsewhere. */
export const reportStyle = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202e;--soft:#5a6778;--faint:#8a95a5;--rule:#e4e8ee;--subject:#0b6bcb;--base:#b4570a;--band:#0b8a5a;--mark:#6b4fbb;--good:#0a7a4f;--bad:#b3261e;--shadow:0 1px 2px rgb(20 30 50/.06),0 6px 24px rgb(20 30 50/.05)}
@media (prefers-color-scheme:dark){:root{--page:#0e131a;--card:#161d27;--ink:#e7edf5;--soft:#a3b0c0;--faint:#7b8898;--rule:#283241;--subject:#62b0ff;--base:#f0a35c;--band:#3fc48e;--mark:#b9a4ff;--good:#54d19b;--bad:#ff8a80;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:36px 20px 56px}
header{margin:0 4px 20px}
h1{font-size:22px;line-height:1.3;margin:0;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
header p{margin:4px 0 0;color:var(--soft)}
h2{font-size:17px;margin:0;font-weight:650;letter-spacing:-.005em}
section{background:var(--card);border-radius:14px;padding:22px 26px;margin:0 0 16px;box-shadow:var(--shadow)}
@media (prefers-color-scheme:dark){section{border:1px solid var(--rule)}}
section>p,figcaption{color:var(--soft);margin:2px 0 12px}
.verdict{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,430px);gap:20px 36px;align-items:center;border-top:4px solid var(--subject)}
.verdict p{margin:0 0 10px;color:var(--ink)}
.verdict b{white-space:nowrap}
.verdict .figure{margin:6px 0 0;font-size:19px;color:var(--soft)}
.verdict .figure strong{font-size:54px;line-height:1.1;font-weight:700;letter-spacing:-.03em;color:var(--subject);margin-right:6px}
.verdict .interval{color:var(--soft)}
.verdict .zh{margin:14px 0 0;padding-top:12px;border-top:1px solid var(--rule)}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:16px}
.pair section{min-width:0}
@media (max-width:820px){.verdict,.pair{grid-template-columns:minmax(0,1fr)}.pair{gap:0}section{padding:18px 16px}}
.scroll{overflow-x:auto}
.scroll svg{min-width:680px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:12px}
.tick{fill:var(--faint)}
.grid{stroke:var(--rule)}
.stroke{stroke:var(--faint)}
.arm{--arm:var(--faint)}
.subject{--arm:var(--subject)}
.base{--arm:var(--base)}
.line{fill:none;stroke:var(--arm);stroke-width:2.4;stroke-linejoin:round;stroke-linecap:round}
.line.base{stroke-width:2;stroke-dasharray:6 5}
.dot{fill:var(--arm);stroke:var(--card);stroke-width:1.5}
.dot.base{fill:var(--card);stroke:var(--arm);stroke-width:2}
.ring{fill:var(--card);stroke:var(--arm);stroke-width:3}
.whisker{stroke:var(--arm);stroke-width:6;stroke-linecap:round;opacity:.38}
.estimate{fill:var(--arm)}
.estimate.base{fill:var(--card);stroke:var(--arm);stroke-width:3}
svg .row-name{font-size:14px;fill:var(--ink)}
svg .row-value{font-size:14px;font-weight:650;fill:var(--ink)}
.band{fill:var(--band);opacity:.13}
.target{stroke:var(--band);stroke-dasharray:2 4;stroke-width:1.5}
.mark line{stroke:var(--mark);stroke-dasharray:2 4;opacity:.75}
.mark circle{fill:var(--mark)}
svg .mark text{fill:var(--card);font-size:11px;font-weight:700}
.attack{fill:var(--mark);opacity:.16}
svg .attack-name{font-size:11px;fill:var(--ink)}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;list-style:none;margin:0 0 8px;padding:0;font-size:14px;color:var(--soft)}
.key svg{display:inline-block;width:34px;height:12px;margin-right:7px;min-width:0}
.marks{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:3px 20px;margin:12px 0 0;padding:0;list-style:none;font-size:14px;color:var(--soft)}
.marks li{padding-left:27px;text-indent:-27px}
.marks b{text-indent:0;display:inline-block;width:18px;height:18px;line-height:18px;margin-right:9px;border-radius:50%;background:var(--mark);color:var(--card);font-size:11px;text-align:center}
table{border-collapse:collapse;width:100%}
th,td{padding:7px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
thead th{color:var(--soft);font-weight:500}
tbody th{text-align:left;font-weight:400;white-space:normal}
tbody tr:last-child>*{border-bottom:0}
th:first-child,td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
tr.main>*{font-weight:650}
.better{color:var(--good)}
.worse{color:var(--bad)}
.flow{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:baseline;margin:10px 0 0;color:var(--faint);font-size:20px}
.flow span{display:inline-block}
.flow b{color:var(--ink);font-size:22px;font-weight:650}
.flow small{display:block;color:var(--soft);font-size:13px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:10px 28px;margin:12px 0 0}
dl div{min-width:0}
dt{color:var(--faint);font-size:13px}
dd{margin:0;overflow-wrap:anywhere}
footer{margin:20px 4px 0;color:var(--faint);font-size:13px}
@media print{section{break-inside:avoid;box-shadow:none;border:1px solid var(--rule)}}
`
