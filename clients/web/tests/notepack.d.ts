// SPDX-License-Identifier: Apache-2.0
declare module "notepack.io" {
  const notepack: { decode(data: Uint8Array): unknown; encode(value: unknown): Uint8Array };
  export default notepack;
}
