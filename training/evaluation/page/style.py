"""The style sheet of the page: light and dark, wide and narrow, no file but the pictures."""

from typing import Final

CSS: Final = """
:root { --paper: #fbfaf7; --ink: #23211e; --pale: #6f6a62; --rule: #ddd8ce; --mark: #b3471d;
  --near: 179, 71, 29; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191817; --ink: #e9e6e0; --pale: #a09a90; --rule: #3a3733; --mark: #f0935f;
    --near: 240, 147, 95; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.2rem clamp(0.8rem, 3vw, 2.5rem) 4rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.6rem 0 0.3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 0 0 0.5rem; }
p, dd { max-width: 46rem; }
.pale, figcaption { color: var(--pale); }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
thead th { vertical-align: bottom; font-weight: 600; }
tbody th, thead th:first-child { text-align: left; font-weight: 600; position: sticky; left: 0;
  background: var(--paper); }
.sheet td, .sheet th { border: 0; padding: 2px; }
.sheet thead th { max-width: 8rem; overflow: hidden; text-overflow: ellipsis; font-weight: 400;
  font-size: 0.72rem; text-align: left; position: static; }
img { display: block; height: auto; max-width: 100%; border-radius: 2px; }
.sheet img { width: 8rem; max-width: none; }
.versus tbody td:nth-child(odd) { padding-right: 0.9rem; }
.versus tbody th { font-weight: 400; }
.matrix { font-size: 0.75rem; }
.matrix td { text-align: center; padding: 0.2rem 0.4rem; border: 1px solid var(--paper); }
.matrix thead th { height: 11rem; padding: 0.3rem 0; position: static; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.style { border-top: 1px solid var(--rule); padding: 1rem 0; display: grid; gap: 0.8rem 1.4rem;
  grid-template-columns: minmax(0, 21rem) minmax(0, 1fr); align-items: start; }
.style h3 { grid-column: 1 / -1; margin: 0; }
.four { display: grid; gap: 0.6rem; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
figure { margin: 0; }
.four img { width: 100%; aspect-ratio: 1; object-fit: cover; }
figcaption { font-size: 0.78rem; line-height: 1.3; padding-top: 0.2rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--pale); }
dt { font-weight: 600; margin-top: 0.6rem; }
dd { margin: 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8rem; padding: 0.7rem;
  border: 1px solid var(--rule); border-radius: 4px; }
@media (max-width: 44rem) { .style { grid-template-columns: minmax(0, 1fr); }
  .sheet img { width: 6rem; } }
"""
