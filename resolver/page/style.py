"""The page's one style sheet: light and dark, wide and narrow, screen and paper.

Text keeps a contrast of 4.5 to 1 at least on its ground, marks of 3 to 1. Colours are told apart
with the common kinds of colour blindness too, and nothing is told by colour alone.
"""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--panel:#f5f7f9;--ink:#1b1f24;--soft:#55606c;
--line:#d0d7de;--track:#e4e8ec;--focus:#0b5fce;--link:#0b5fce;
--local:#8fa3b5;--domestic:#1d7a5f;--escaped:#c2410c;--stripe:#fff;--good:#1d7a5f;--bad:#b3261e}
@media screen and (prefers-color-scheme:dark){:root{--paper:#14171b;--panel:#1d2127;--ink:#e8ebee;
--soft:#a5b0bb;--line:#3a424b;--track:#2c333b;--focus:#7db4ff;--link:#8ebdff;
--local:#8296a9;--domestic:#41b88d;--escaped:#f08a4b;--stripe:#14171b;--good:#5fd0a4;--bad:#ff8f86}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main,footer{max-width:1080px;margin:0 auto;padding:0 20px}
header{padding-top:28px}footer{padding-bottom:48px;margin-top:40px;color:var(--soft);font-size:14px}
a{color:var(--link)}a:focus-visible,summary:focus-visible,.wide:focus-visible{
outline:3px solid var(--focus);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-999px}.skip:focus{position:static;display:inline-block}
h1{font-size:28px;line-height:1.25;margin:0 0 6px}header p{max-width:none}
h2{font-size:20px;margin:44px 0 8px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:16px;margin:24px 0 4px}p{margin:4px 0 10px;max-width:75ch}.soft{color:var(--soft)}
nav ul{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:14px 0 0;padding:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:22px 0}
.tiles>div{background:var(--panel);border:1px solid var(--line);border-radius:8px;
padding:12px 16px;border-top:5px solid var(--local)}
.tiles>.escaped{border-top-color:var(--escaped)}.tiles>.domestic{border-top-color:var(--domestic)}
.tiles>.good{border-top-color:var(--good)}.tiles>.bad{border-top-color:var(--bad)}
.tiles dt{color:var(--soft);font-size:14px}.tiles dd{margin:0;font-size:13px;color:var(--soft)}
.tiles dd.big{font-size:28px;line-height:1.25;font-weight:650;color:var(--ink);
font-variant-numeric:tabular-nums}
dl{margin:0}.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:0 32px}
.facts>div{display:flex;justify-content:space-between;gap:16px;padding:5px 0;
border-bottom:1px solid var(--line)}
.facts dt{color:var(--soft)}.facts dd{margin:0;text-align:right;overflow-wrap:anywhere;
font-variant-numeric:tabular-nums}
.chart{display:grid;grid-template-columns:auto 1fr;gap:4px 8px;margin:14px 0 8px}
.chart svg{display:block;width:100%;height:auto}
.axis{display:flex;flex-direction:column;justify-content:space-between;text-align:right}
.axis,.times{font-size:12px;line-height:1;color:var(--soft)}
.times{grid-column:2;display:flex;justify-content:space-between}
.legend{display:flex;flex-wrap:wrap;gap:4px 22px;list-style:none;margin:8px 0;padding:0}
.legend li{display:flex;align-items:center;gap:8px}.mark{flex:none}.defs{position:absolute}
.local{fill:var(--local)}.domestic{fill:var(--domestic)}.escaped{fill:var(--escaped)}
.stripe{fill:var(--stripe)}.grid{stroke:var(--line);stroke-width:1}
.track{fill:var(--track)}.plain{fill:var(--local)}
.bar{display:block;width:100%;min-width:70px;height:10px;margin-top:7px}
.wide{overflow-x:auto;margin:10px 0}.wide+.wide,h3+.wide{margin-top:26px}h3+.wide{margin-top:8px}
table{border-collapse:collapse;width:100%;font-size:15px}
caption span{display:inline-block;max-width:calc(100vw - 32px)}
caption{text-align:left;color:var(--soft);font-size:14px;padding-bottom:4px}
th,td{text-align:left;vertical-align:top;padding:6px 16px 6px 0;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600;font-size:14px}tbody th{font-weight:500}
td.t,th.t{overflow-wrap:anywhere;min-width:11.5em}td.s,th.s{white-space:nowrap}
td .soft{margin-left:6px}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
th.n{white-space:normal}td.b{width:18%}
.words>div{padding:5px 0}.words dt{font-weight:600}.words dd{margin:0;max-width:75ch}
small{display:block;color:var(--soft);font-size:13px;font-weight:400}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
summary{cursor:pointer;padding:6px 0;color:var(--link)}
.good b{color:var(--good)}.bad b{color:var(--bad)}
@media (max-width:600px){header,main,footer{padding-left:14px;padding-right:14px}
h1{font-size:23px}.tiles{grid-template-columns:1fr 1fr;gap:8px}.tiles>div{padding:10px 12px}
.tiles dd.big{font-size:23px}th.b,td.b{display:none}table{font-size:13px}thead th{font-size:12px}
th,td{padding-right:6px}td.t,th.t{min-width:8.2em}small{font-size:12px}}
@media print{@page{margin:14mm}body{font-size:10.5pt}header,main,footer{max-width:none;padding:0}
nav,.skip,.again{display:none}h2{margin-top:22px;font-size:14pt}h2,h3,caption{break-after:avoid}
tr,.tiles,.chart,.facts>div{break-inside:avoid}.wide{overflow:visible}table{font-size:9.5pt}
.tiles{grid-template-columns:repeat(3,1fr)}
details::details-content{content-visibility:visible;block-size:auto;opacity:1}
summary{color:inherit;list-style:none}a{color:inherit;text-decoration:none}
*{print-color-adjust:exact}}
"""
"""What stands in the page's ``style``; the policy of its content names its hash."""
