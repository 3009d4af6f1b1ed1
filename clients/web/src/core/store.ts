// SPDX-License-Identifier: Apache-2.0

/** A value that tells its readers when it is replaced. Fits the store contract of Svelte, needs nothing of it. */
export interface Readable<T> {
  get(): T;
  /** Calls `run` at once and on each change; returns how to stop. */
  subscribe(run: (value: T) => void): () => void;
}

export class Store<T> implements Readable<T> {
  private readonly readers = new Set<(value: T) => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const run of [...this.readers]) run(value);
  }

  update(change: (value: T) => T): void {
    this.set(change(this.value));
  }

  subscribe(run: (value: T) => void): () => void {
    this.readers.add(run);
    run(this.value);
    return () => this.readers.delete(run);
  }
}
