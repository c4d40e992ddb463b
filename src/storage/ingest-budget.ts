import { WindowMemory } from "./window-memory.ts";

interface Waiter {
  readonly account: BudgetAccount;
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * Bytes of memory shared by all streams on their way in. A stream may hold some and ask for more
 * without the danger that all wait for each other: when nothing is left, one stream at a time may go
 * beyond the limit, by what one stream can use.
 */
export class IngestBudget {
  private readonly bytesMax: number;
  private readonly waiting: Waiter[] = [];
  private used = 0;
  private overdrawn: BudgetAccount | undefined;
  readonly memory = new WindowMemory();

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** An account for one stream. */
  open(): BudgetAccount {
    return new BudgetAccount(this);
  }

  /** Bytes in use by all. */
  get usedBytes(): number {
    return this.used;
  }

  /** For BudgetAccount alone. */
  async take(account: BudgetAccount, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (account === this.overdrawn || this.waiting.length === 0) {
      if (this.grant(account, bytes)) return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
        this.grantNext();
      };
      const waiter: Waiter = {
        account,
        bytes,
        grant: () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.waiting.push(waiter);
    });
  }

  /** For BudgetAccount alone. */
  giveBack(account: BudgetAccount, bytes: number): void {
    this.used -= bytes;
    if (account === this.overdrawn && this.used <= this.bytesMax) this.overdrawn = undefined;
    if (this.used === 0) this.memory.clear();
    this.grantNext();
  }

  private grant(account: BudgetAccount, bytes: number): boolean {
    const fits = this.used + bytes <= this.bytesMax;
    if (!fits && this.overdrawn !== undefined && this.overdrawn !== account) return false;
    if (!fits) this.overdrawn = account;
    this.used += bytes;
    return true;
  }

  private grantNext(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (!this.grant(next.account, next.bytes)) return;
      this.waiting.shift();
      next.grant();
    }
  }
}

/** What one stream holds of the budget. */
export class BudgetAccount {
  private readonly budget: IngestBudget;

  constructor(budget: IngestBudget) {
    this.budget = budget;
  }

  get memory(): WindowMemory {
    return this.budget.memory;
  }

  /** Waits for `bytes` more. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (bytes > 0) await this.budget.take(this, bytes, signal);
  }

  giveBack(bytes: number): void {
    if (bytes > 0) this.budget.giveBack(this, bytes);
  }
}
