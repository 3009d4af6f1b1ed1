// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from "vite";

/** The script and the style of load-test reports, each one file: they are written into the report itself. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "dist-report",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    lib: { entry: "report/main.ts", formats: ["iife"], name: "report", fileName: () => "report.js", cssFileName: "report" },
  },
});
