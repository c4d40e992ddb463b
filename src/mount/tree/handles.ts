import { Refusal } from "../refusal.ts";

/** What programs have open, by numbers that are used once. */
export class Handles<T> {
  private readonly open = new Map<number, T>();
  private last = 0;

  add(value: T): number {
    this.open.set(++this.last, value);
    return this.last;
  }

  find(handle: number): T | undefined {
    return this.open.get(handle);
  }

  /** @throws Refusal `EBADF` for one that is not open */
  get(handle: number): T {
    const value = this.find(handle);
    if (value === undefined) throw new Refusal("EBADF");
    return value;
  }

  delete(handle: number): void {
    this.open.delete(handle);
  }

  values(): IterableIterator<T> {
    return this.open.values();
  }
}
