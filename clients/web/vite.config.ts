// SPDX-License-Identifier: Apache-2.0
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { compression } from "vite-plugin-compression2";
import { defineConfig } from "vitest/config";

/** What the server sends too; the preview server enforces it so that a violation is seen before deployment. */
const CONTENT_SECURITY_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** `--mode fixtures` adds the page of fixed screens; the production bundle never contains it. */
export default defineConfig(({ mode }) => {
  const fixtures = mode === "fixtures";
  return {
    base: "./",
    // Side files that the server hands to browsers which take them.
    plugins: [svelte(), compression({ algorithms: ["brotliCompress", "gzip"], threshold: 1_000 })],
    build: {
      outDir: fixtures ? "dist-fixtures" : "dist",
      emptyOutDir: true,
      target: "es2022",
      // data: URLs would need an exception in the content security policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rolldownOptions: {
        input: fixtures ? ["index.html", "fixtures.html"] : ["index.html"],
        checks: { bundlerTimings: false },
      },
    },
    preview: { headers: { "Content-Security-Policy": CONTENT_SECURITY_POLICY } },
    server: { proxy: { "/api": "http://localhost:8080", "/socket.io": { target: "ws://localhost:8080", ws: true } } },
    ...(process.env["VITEST"] ? { resolve: { conditions: ["browser"] } } : {}),
    test: { environment: "happy-dom", include: ["tests/**/*.test.ts"], restoreMocks: true },
  };
});
