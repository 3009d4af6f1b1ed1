// SPDX-License-Identifier: Apache-2.0
/** What `loadtest.report.charts` writes into the page. */

export interface Line {
  readonly label: string;
  /** One value for each of the chart's `x`; null: nothing was recorded then. */
  readonly values: readonly (number | null)[];
}

export interface Chart {
  readonly id: string;
  readonly kind: "time" | "bars";
  /** Seconds after the start, or the lower edges of the bars. */
  readonly x: readonly number[];
  readonly unit: string;
  /** Latencies of very different sizes share a chart only on a logarithmic axis. */
  readonly logarithmic: boolean;
  readonly lines: readonly Line[];
}

export interface Mark {
  readonly at_s: number;
  readonly text: string;
}

export interface Charts {
  readonly duration_s: number;
  readonly marks: readonly Mark[];
  readonly charts: readonly Chart[];
}
