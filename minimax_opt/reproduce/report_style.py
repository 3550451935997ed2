"""The look of the report: a style sheet for light and dark screens and for paper, that needs no network."""

from __future__ import annotations

STYLE_SHEET = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #ffffff; --faint: #59636e; --line: #d1d9e0; --band: #f6f8fa;
  --good: #116329; --bad: #a40e26; --link: #0a58ca; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #14171b; --faint: #a3adb8; --line: #3d444d; --band: #1d2127;
    --good: #56d364; --bad: #ff8182; --link: #79b8ff; }
}
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--ink);
  background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin-bottom: .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--line); }
a { color: var(--link); }
.headline { font-size: 1.2rem; font-weight: 600; }
.faint, figcaption { color: var(--faint); font-size: .88rem; }
.good { color: var(--good); font-weight: 600; white-space: nowrap; }
.bad { color: var(--bad); font-weight: 600; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { background: var(--band); font-weight: 600; overflow-wrap: normal; }
td.number, th.number { text-align: right; white-space: nowrap; }
.claims td:first-child { width: 46%; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line); border-radius: 4px;
  padding: .5rem; box-sizing: border-box; }
pre { background: var(--band); border: 1px solid var(--line); border-radius: 4px; padding: .6rem; overflow-x: auto; font-size: .82rem; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media print {
  :root { --ink: #000000; --paper: #ffffff; --faint: #444444; --line: #bbbbbb; --band: #ffffff; --good: #000000; --bad: #000000;
    --link: #000000; }
  body { font-size: 10pt; max-width: none; margin: 0; }
  h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  thead { display: table-header-group; }
  figure img { border: none; padding: 0; }
  a { text-decoration: none; }
  .scroll, pre { overflow: visible; }
  pre { white-space: pre-wrap; }
}
""".strip()
