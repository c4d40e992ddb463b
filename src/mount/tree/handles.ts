import { Refusal } from "../refusal.ts";

/** Numbers that are used once. */
export class Numbers {
  private last: number;

  /** @param last the one before the first */
  constructor(last = 0) {
    this.last = last;
  }

  next(): number {
    return ++this.last;
  }
}

/** What programs have open, by numbers that are used once. */
export class Handles<T> {
  private readonly open = new Map<number, T>();
  private readonly numbers: Numbers;

  /** @param numbers shared with those that must not have the same. Default: its own */
  constructor(numbers: Numbers = new Numbers()) {
    this.numbers = numbers;
  }

  add(value: T): number {
    const handle = this.numbers.next();
    this.open.set(handle, value);
    return handle;
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
