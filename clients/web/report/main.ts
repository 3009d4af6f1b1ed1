// SPDX-License-Identifier: Apache-2.0
import "uplot/dist/uPlot.min.css";
import "./report.css";
import type { Charts } from "./data.ts";
import { draw } from "./draw.ts";

function drawAll(): void {
  const source = document.getElementById("charts-data")?.textContent;
  if (!source) return;
  const all = JSON.parse(source) as Charts;
  for (const chart of all.charts) {
    const figure = document.getElementById(chart.id);
    if (figure) draw(chart, all, figure);
  }
}

let width = 0;
function drawWhenWidthChanged(): void {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  drawAll();
}

for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", drawAll);
addEventListener("resize", drawWhenWidthChanged);
drawWhenWidthChanged();
