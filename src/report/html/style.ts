// SPDX-License-Identifier: GPL-3.0-or-later
// How the report looks: in light, in dark, on a narrow screen and on paper. It names fonts that readers may have and
// loads none.

export const style = `
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --sheet: #fff; --ink: #1f2421; --soft: #5d625e; --rule: #e3e0d8; --faint: #f4f2ec;
  --leaf: #2c6e49; --leaf-faint: #e8f1ea; --care: #8a5a00; --care-faint: #faf1dc; --bad: #a8322a; --bad-faint: #fae9e6;
  --add: #e3f3e6; --del: #fbe7e4; --add-edge: #2c6e49; --del-edge: #a8322a;
  --key: #7a3e9d; --type: #1f5f8b; --string: #2b6a3f; --number: #8a5a00; --comment: #626862; --meta: #8c3b3b; --name: #1b4f72;
  --text: Inter, "Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif;
  --code: "JetBrains Mono", ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181a; --sheet: #1a1e20; --ink: #e4e2dc; --soft: #a0a59f; --rule: #30363a; --faint: #1f2426;
    --leaf: #7cc69a; --leaf-faint: #1b2b22; --care: #e0b25c; --care-faint: #2e2717; --bad: #ef8d83; --bad-faint: #341e1c;
    --add: #17301f; --del: #3a1f1d; --add-edge: #7cc69a; --del-edge: #ef8d83;
    --key: #cda2e6; --type: #86bfe8; --string: #95cf9f; --number: #e0b25c; --comment: #98a098; --meta: #e3a2a2; --name: #9cc9ea;
  }
}
* { box-sizing: border-box }
html { background: var(--paper); color: var(--ink); font: 16px/1.6 var(--text); -webkit-text-size-adjust: 100% }
body { margin: 0 auto; padding: 3.5rem 2rem 6rem; max-width: 78rem }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; font-weight: 600 }
h1 { font-size: 2.1rem; letter-spacing: -.022em; margin: .3rem 0 1.2rem; max-width: 24em }
h2 { font-size: 1.35rem; letter-spacing: -.012em; margin: 4.5rem 0 1.2rem; padding-top: 1.1rem; border-top: 1px solid var(--rule) }
h2 .no { color: var(--soft); font-weight: 400; margin-right: .6em; font-variant-numeric: tabular-nums }
h3 { font-size: 1.02rem; margin: 2rem 0 .6rem }
h4 { font-size: .8rem; margin: 1.5rem 0 .5rem; color: var(--soft); font-weight: 600 }
h3 small, h4 small, summary small, figcaption small { font-weight: 400; color: var(--soft); font-size: .8rem; font-family: var(--text) }
p, ul, dl { max-width: 46rem }
p { margin: .6rem 0 }
a { color: var(--leaf); text-underline-offset: .18em; text-decoration-thickness: 1px }
code, pre, table.d, table.u { font-family: var(--code); font-variant-ligatures: none }
code { font-size: .875em; overflow-wrap: anywhere }
pre { font-size: .78rem; line-height: 1.55; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 8; margin: .8rem 0 }
.quiet, .eyebrow { color: var(--soft) }
.hash { font-size: .78rem; color: var(--soft); overflow-wrap: anywhere }
.wide { overflow-x: auto; max-width: 100% }

/* The head */
.eyebrow { font-size: .85rem; margin: 0; display: flex; gap: .6em; align-items: center }
.eyebrow svg { width: 1.1rem; height: 1.1rem; stroke: var(--leaf); fill: none; stroke-width: 2; stroke-linecap: round }
.verdict { font-size: 1.2rem; line-height: 1.5; max-width: 40rem; margin: 0 0 1.8rem; padding-left: 1rem; border-left: 3px solid var(--leaf) }
.verdict.care { border-color: var(--care) } .verdict.bad { border-color: var(--bad) } .verdict.open { border-color: var(--soft) }
.stamps { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1px; background: var(--rule); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; padding: 0; margin: 0 0 2rem; list-style: none; max-width: none }
.stamps li { background: var(--sheet); padding: 1rem 1.2rem }
.stamps b { display: flex; align-items: center; gap: .55em; font-weight: 600; font-size: .92rem }
.stamps span { font-size: .88rem; color: var(--soft); display: block; margin-top: .25rem; line-height: 1.45 }
.stamps b::before { content: "✓"; display: inline-grid; place-items: center; width: 1.35em; height: 1.35em; border-radius: 50%; font-size: .8rem; background: var(--leaf-faint); color: var(--leaf) }
.stamps .care b::before { content: "!"; background: var(--care-faint); color: var(--care) }
.stamps .bad b::before { content: "✗"; background: var(--bad-faint); color: var(--bad) }
.stamps .open b::before { content: "–"; background: var(--faint); color: var(--soft) }
dl.facts { display: grid; grid-template-columns: 8.5rem 1fr; gap: .45rem 1.2rem; margin: 0; font-size: .92rem; max-width: 60rem }
dl.facts dt, dl.touches dt { color: var(--soft) }
dl.facts dd, dl.touches dd { margin: 0; overflow-wrap: anywhere }
nav ol { list-style: none; padding: 0; margin: 2.4rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: .92rem; max-width: none; counter-reset: toc }
nav a { text-decoration: none } nav a:hover { text-decoration: underline }
nav .no { color: var(--soft); margin-right: .45em; font-variant-numeric: tabular-nums }

/* Findings */
ul.findings { list-style: none; padding: 0; margin: 0 }
.finding { border-left: 3px solid var(--rule); padding: .1rem 0 .1rem 1.1rem; margin: 0 0 1.6rem }
.finding.error { border-color: var(--bad) } .finding.warning { border-color: var(--care) }
.finding p { margin: .2rem 0 }
.finding .kind { font-size: .85rem } .finding .kind code { color: var(--soft) }
.finding.error .kind b { color: var(--bad) } .finding.warning .kind b { color: var(--care) }
.finding .hint { color: var(--soft) } .finding .hint::before { content: "→ "; color: var(--leaf) }
.finding .where { font-size: .85rem; color: var(--soft) }
.allowed { font-style: normal; color: var(--leaf); background: var(--leaf-faint); border-radius: 4px; padding: .05em .5em; font-size: .78rem }

/* Code */
pre.message { background: none; font-family: var(--text); font-size: .95rem; line-height: 1.6; max-width: 46rem; margin: 0 0 1.6rem }
pre.command, pre.output { background: var(--faint); border-radius: 6px; padding: .7rem 1rem }
pre.output { margin: .4rem 0 .2rem; padding: .4rem .7rem; font-size: .74rem }
figure { margin: 1.2rem 0 }
figure.diff, .function table.d, details.fold { border-radius: 0 }
figcaption { font-size: .88rem; padding: 0 0 .45rem }
table { border-collapse: collapse; width: 100% }
table.d, table.u { table-layout: fixed; font-size: .765rem; line-height: 1.55; background: var(--sheet); border: 1px solid var(--rule); tab-size: 8 }

table.u + table.u { margin-top: .7rem } table.u { border-bottom-width: 1px }
table.d td, table.u td { padding: 0 .6em; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere }
td.l { width: 4.4em; text-align: right; color: var(--soft); user-select: none; font-variant-numeric: tabular-nums }
table.d td.e { background: repeating-linear-gradient(-45deg, transparent 0 6px, var(--faint) 6px 7px) }
table.d td.e:nth-child(odd) { width: 4.4em }
table.d td:nth-child(3) { border-left: 1px solid var(--rule) }
table.u td.g { width: 1.9em; text-align: center; user-select: none; padding: 0 }
table.u td.l { width: 4.2em }
tr.add td, td.add { background: var(--add) } tr.del td, td.del { background: var(--del) }
tr.add td.g { color: var(--add-edge) } tr.del td.g { color: var(--del-edge) }
table.d td.l.add { box-shadow: inset 2px 0 var(--add-edge) } table.d td.l.del { box-shadow: inset 2px 0 var(--del-edge) }
i { font-style: normal }
i.k { color: var(--key) } i.t { color: var(--type) } i.s { color: var(--string) } i.n { color: var(--number) }
i.c { color: var(--comment) } i.m { color: var(--meta) } i.f { color: var(--name) } i.to { color: var(--soft) }
summary { cursor: pointer }
details.fold > summary, .left-out { font-size: .78rem; color: var(--soft); padding: .2rem .8rem; background: var(--faint); border: 1px solid var(--rule); border-width: 0 1px 1px; list-style-position: inside; max-width: none; margin: 0 }
details.fold:first-of-type > summary { border-top-width: 1px }
.function { border-top: 1px solid var(--rule); padding: .9rem 0 }
.function > summary { list-style-position: outside; margin-left: 1.1rem }
.function > summary h3 { display: inline; margin: 0; font-size: 1.05rem }
.function > summary h3 code { font-size: 1rem; margin-right: .5em }
.function[open] { padding-bottom: 2.2rem }
.match { font-size: .88rem; color: var(--soft); margin: .3rem 0 }
.reasons { margin: .5rem 0 .4rem; padding-left: 1.15rem; scroll-margin-top: 5rem }
dl.touches { display: grid; grid-template-columns: 8.5rem 1fr; gap: .3rem 1.2rem; font-size: .85rem; margin: 0; max-width: none }
details.console { margin: 1.2rem 0 } details.console pre { background: var(--faint); border-radius: 6px; padding: 1rem; max-height: 36rem; overflow: auto }

/* Tables and pictures */
table.plain, table.steps { font-size: .88rem; max-width: 100% }
table.narrow { width: auto; margin-top: 1.4rem }
table.plain th, table.steps th { text-align: left; font-weight: 600; color: var(--soft); font-size: .8rem }
table.plain td, table.plain th, table.steps td, table.steps th { padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--rule); vertical-align: top }
td.ms { font-variant-numeric: tabular-nums; white-space: nowrap }
table.steps tr.bad td:last-child { color: var(--bad); font-weight: 600 } table.steps tr.ok td:last-child { color: var(--leaf) }
.nr { font-variant-numeric: tabular-nums } table.steps .nr { display: inline-block; min-width: 1.6em; color: var(--soft) }
svg.graph, svg.timeline { display: block; max-width: none; margin: .5rem 0 }
svg.graph { max-width: 100%; height: auto; min-width: 40rem }
svg.timeline { width: 100%; height: auto; min-width: 34rem }
svg text { font-family: var(--code); font-size: 11px; fill: var(--ink) }
svg.graph text.why { fill: var(--soft) } svg.graph rect { fill: var(--sheet); stroke: var(--rule); stroke-width: 1.2 }
svg.graph .function rect { fill: var(--leaf-faint); stroke: var(--leaf) } svg.graph .file rect { fill: var(--faint) }
svg.graph .own rect { stroke: var(--leaf); stroke-dasharray: 4 3 }
svg.graph a:hover rect, svg.graph a:focus rect { stroke-width: 2 }
svg .edges path { fill: none; stroke: var(--soft); stroke-width: 1; opacity: .55 }
svg.timeline text { font-family: var(--text); fill: var(--soft) } svg.timeline text.nr { text-anchor: middle } svg text.end { text-anchor: end }
svg .axis path { stroke: var(--rule); fill: none }
svg .area { fill: var(--leaf); opacity: .13 } svg .line { fill: none; stroke: var(--leaf); stroke-width: 2; stroke-linejoin: round }
svg rect.even { fill: var(--rule) } svg rect.odd { fill: var(--rule); opacity: .65 } svg rect.move { fill: var(--leaf); opacity: .45 }
table.sign td { border: 1px solid var(--rule); height: 3.6rem; width: 28%; padding: .3rem .6rem; vertical-align: top } table.sign th { text-align: left; font-weight: 600; width: 16% }
table.sign span { font-size: .72rem; color: var(--soft) } table.sign { max-width: 60rem; margin-top: 1.2rem }
footer { margin-top: 4rem; font-size: .82rem; color: var(--soft) }

@media (max-width: 46rem) {
  body { padding: 1.6rem 1rem 4rem } h1 { font-size: 1.55rem } h2 { margin-top: 3rem } .verdict { font-size: 1.05rem }
  dl.facts, dl.touches { grid-template-columns: 1fr; gap: .1rem } dl.facts dd, dl.touches dd { margin-bottom: .5rem }
  table.d, table.d tbody { display: block } table.d tr { display: grid; grid-template-columns: 4.2em 1fr }
  table.d tr.q td:nth-child(-n+2), table.d td.e { display: none } table.d td:nth-child(3) { border-left: 0 }
  table.d td { width: auto } .function > summary h3 small { display: block } table.u td.l:first-child { display: none }
  table.sign, table.sign tbody, table.sign tr, table.sign td, table.sign th { display: block; width: 100% } table.sign th { margin-top: 1rem }
  table.steps td, table.steps th { padding-right: .5rem }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --sheet: #fff; --ink: #000; --soft: #444; --rule: #bbb; --faint: #f2f2f2; --leaf: #1d5636; --leaf-faint: #eef5f0; --care: #6e4700; --care-faint: #f7f0e0; --bad: #8c231c; --bad-faint: #f8eae8; --add: #e6f4e9; --del: #fbe9e7; --add-edge: #1d5636; --del-edge: #8c231c; --key: #5d2a7a; --type: #174a6d; --string: #1f5230; --number: #6e4700; --comment: #555; --meta: #6e2d2d; --name: #143c57 }
  @page { size: A4; margin: 16mm 13mm 18mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif } }
  html { font-size: 11.5px; print-color-adjust: exact; -webkit-print-color-adjust: exact } body { padding: 0; max-width: none } nav { break-after: avoid }
  details::details-content { content-visibility: visible; display: block; block-size: auto } details > summary { list-style: none }
  details.console pre { max-height: none; overflow: visible } details.fold { break-inside: auto }
  h2 { break-after: avoid; margin-top: 2.2rem } h3, h4, figcaption, summary { break-after: avoid } .page { break-before: page; border-top: 0 }
  .finding, tr, .stamps, #sign, svg, table.sign { break-inside: avoid } svg.graph, svg.timeline { min-width: 0; max-width: 100% }
  table.d, table.u { font-size: 6.6pt; line-height: 1.4 } a { color: inherit; text-decoration: none } .wide { overflow: visible }
}
`
