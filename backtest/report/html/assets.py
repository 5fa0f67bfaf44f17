"""Style sheet and script of a page, kept inline so that the file needs nothing else, and the page round them."""

from __future__ import annotations

import base64
import hashlib
from html import escape

STYLE = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1560px; padding: 1rem; background: #fff; color: #1a1a1a;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .6rem 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 2px solid #1a1a1a; padding-bottom: .2rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, li { max-width: 62rem; overflow-wrap: anywhere; margin: .3rem 0; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
a { color: #1f4e9c; }
.banner { border: 3px solid #8a1020; border-left-width: 12px; background: #fbeaec; padding: .5rem .8rem; margin: 0 0 .5rem;
  font-weight: 700; font-size: 1.05rem; max-width: none; }
.source { color: #444; max-width: none; }
.first { display: grid; grid-template-columns: minmax(0, 1fr); column-gap: 2.5rem; }
.first h2 { margin-top: 1rem; }
.first > div { min-width: 0; }
.warnings li { margin: .35rem 0; }
.box { overflow-x: auto; max-width: 100%; margin: .5rem 0 1rem; }
.box:focus-visible { outline: 2px solid #1f4e9c; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .22rem .65rem; text-align: left; vertical-align: top; border-bottom: 1px solid #e2e2e2; }
th, td { white-space: nowrap; }
td { min-width: 3.2rem; }
tbody th, tfoot th { font-weight: 400; position: sticky; left: 0; background: #fff; }
thead th { font-weight: 600; border-bottom: 2px solid #888; vertical-align: bottom; }
tbody + tbody tr:first-child > * { border-top: 2px solid #aaa; }
tfoot th, tfoot td { font-weight: 700; border-top: 2px solid #888; }
.n { text-align: right; }
.loss { color: #9b1425; }
.words td:last-child { min-width: 18rem; white-space: normal; overflow-wrap: break-word; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:hover, th button:focus-visible { text-decoration: underline; }
th[aria-sort="ascending"] button::after { content: " \\25B2"; font-size: .7em; }
th[aria-sort="descending"] button::after { content: " \\25BC"; font-size: .7em; }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { display: block; width: 100%; max-width: 1320px; height: auto; }
figcaption { color: #444; }
@media (min-width: 1100px) { .first { grid-template-columns: minmax(0, max-content) minmax(24rem, 1fr); } }
@media (max-width: 600px) {
  body { padding: .6rem; font-size: 14px; }
  h1 { font-size: 1.2rem; }
  th, td { padding: .22rem .4rem; }
  .words td:last-child { min-width: 13rem; }
  .words td:nth-child(n + 4):last-child { min-width: 24rem; }
  figure img { width: 760px; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 9pt; color: #000; }
  .first { display: block; }
  .box, figure { overflow: visible; }
  table { font-size: 6.5pt; }
  th, td { padding: 1pt 2pt; }
  .words td:last-child { min-width: 0; }
  thead th { white-space: normal; }
  tbody th, tfoot th { position: static; }
  tr, figure, .banner { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  thead { display: table-header-group; }
  .loss, a { color: #000; }
  .banner { border-color: #000; background: none; }
  nav { display: none; }
}
"""

# A heading becomes a button; rows go by data-v where a cell has one, else by their words; cells without a number stay last.
SCRIPT = """
"use strict";
document.querySelectorAll("table.sortable").forEach(function (table) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach(function (head, column) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort";
    button.textContent = head.textContent || "name";
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      const falling = head.getAttribute("aria-sort") === "ascending";
      const figures = head.classList.contains("n");
      const key = function (row) {
        const cell = row.cells[column];
        if (!figures) return cell.textContent;
        return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v.replace("inf", "Infinity"));
      };
      const rows = Array.from(body.rows).map(function (row) { return [key(row), row]; });
      rows.sort(function (a, b) {
        const one = a[0], other = b[0];
        if (figures && (isNaN(one) || isNaN(other))) return isNaN(one) - isNaN(other);
        const order = one < other ? -1 : one > other ? 1 : 0;
        return falling ? -order : order;
      });
      rows.forEach(function (pair) { body.appendChild(pair[1]); });
      heads.forEach(function (each) { each.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    });
  });
});
"""


def _digest(words: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(words.encode()).digest()).decode() + "'"


def policy() -> str:
    """Content security policy: this style, this script and inline pictures, and nothing from anywhere else."""
    return f"default-src 'none'; img-src data:; style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}"


def document(title: str, header: str, main: str) -> str:
    """A whole page: `title` as plain words, `header` and `main` as HTML."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title, quote=True)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<header>
{header}
</header>
<main>
{main}</main>
<script>{SCRIPT}</script>
</body>
</html>
"""
