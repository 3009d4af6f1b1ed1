// SPDX-License-Identifier: Apache-2.0
export type PanelName = "chat" | "people" | "agenda" | "board";
