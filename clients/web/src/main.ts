// SPDX-License-Identifier: Apache-2.0
import { mount } from "svelte";
import "./app.css";
import App from "./ui/App.svelte";
import { preferredLocale, useLocale } from "./ui/text.svelte.ts";

await useLocale(preferredLocale());
mount(App, { target: document.getElementById("app") as HTMLElement });
