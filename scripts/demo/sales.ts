import { randomBelow, type Random } from "../../src/base/random.ts";

/** What the stand sells. */
export const fruits = ["apple", "banana", "orange"] as const;

export type Fruit = (typeof fruits)[number];
export type Totals = Readonly<Record<Fruit, number>>;

const amountMax = 10;

/** A day at the fruit stand: a sale a line, `fruit<TAB>amount`. */
export function sales(random: Random, lines: number): string {
  return Array.from({ length: lines }, () => {
    const fruit = fruits[randomBelow(random, fruits.length)] ?? fruits[0];
    return `${fruit}\t${randomBelow(random, amountMax) + 1}\n`;
  }).join("");
}

/** Our own arithmetic, to hold the pipelines' against. */
export function totalsOf(text: string): Totals {
  const totals: Record<Fruit, number> = { apple: 0, banana: 0, orange: 0 };
  for (const line of text.split("\n")) {
    const [name, amount] = line.split("\t");
    const fruit = fruits.find((each) => each === name);
    if (fruit !== undefined) totals[fruit] += Number(amount);
  }
  return totals;
}

/** `apple 12, banana 3, orange 7`. */
export function showTotals(totals: Totals): string {
  return fruits.map((fruit) => `${fruit} ${totals[fruit]}`).join(", ");
}
