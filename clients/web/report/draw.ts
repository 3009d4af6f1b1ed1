// SPDX-License-Identifier: Apache-2.0
import uPlot from "uplot";
import type { Chart, Charts, Mark } from "./data.ts";

const HEIGHT = 240;
/** Lines differ by dashes, too: colour alone tells nothing to many people, and on many printers. */
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [14, 4]];

interface Ink {
  readonly text: string;
  readonly grid: string;
  readonly mark: string;
  readonly lines: readonly string[];
}

function ink(): Ink {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const lines = [1, 2, 3, 4, 5, 6].map((number) => colour(`--line-${number}`));
  return { text: colour("--text"), grid: colour("--grid"), mark: colour("--muted"), lines };
}

/** Thin verticals where something happened on purpose. */
function marker(marks: readonly Mark[], { mark }: Ink): uPlot.Plugin {
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = mark;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { at_s } of marks) {
      const x = plot.valToPos(at_s, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  return { hooks: { drawAxes: draw } };
}

function compact(value: number | null): string {
  if (value === null) return "";
  return value >= 10_000 ? `${value / 1000}k` : `${Number(value.toPrecision(3))}`;
}

function axes(chart: Chart, { text, grid }: Ink): uPlot.Axis[] {
  const common = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  const values = (_: uPlot, splits: (number | null)[]): string[] => splits.map(compact);
  const unit = chart.kind === "time" ? "seconds" : chart.unit;
  return [
    { ...common, values, label: unit, labelSize: 22, size: 34 },
    { ...common, values, size: 58, label: chart.kind === "time" ? chart.unit : "values", labelSize: 20 },
  ];
}

function series(chart: Chart, { lines }: Ink): uPlot.Series[] {
  const bars = uPlot.paths.bars?.({ size: [0.9, 60] });
  const drawn = chart.lines.map(({ label }, index): uPlot.Series => {
    const stroke = lines[index % lines.length] ?? "";
    if (chart.kind === "bars" && bars) return { label, stroke, fill: stroke, paths: bars, points: { show: false } };
    const dash = DASHES[index % DASHES.length] ?? [];
    return { label, stroke, width: 2, dash, spanGaps: false, points: { show: true, size: 5, fill: stroke } };
  });
  return [{}, ...drawn];
}

function options(chart: Chart, all: Charts, width: number): uPlot.Options {
  const colours = ink();
  const time = chart.kind === "time";
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, distr: time ? 1 : 3, ...(time ? { range: [0, Math.max(1, all.duration_s)] } : {}) },
      y: chart.logarithmic ? { distr: 3 } : { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: axes(chart, colours),
    series: series(chart, colours),
    plugins: time ? [marker(all.marks, colours)] : [],
  };
}

/** Draw a chart into its figure, in the colours of this moment; what was there before is replaced. */
export function draw(chart: Chart, all: Charts, figure: HTMLElement): void {
  const canvas = figure.querySelector<HTMLElement>(".canvas");
  if (!canvas) return;
  canvas.replaceChildren();
  const data = [chart.x, ...chart.lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  new uPlot(options(chart, all, canvas.clientWidth), data, canvas);
}
