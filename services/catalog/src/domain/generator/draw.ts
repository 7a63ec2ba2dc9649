import type { Random } from '@souk/kernel';

/** One of the list, each as likely. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random.next() * list.length)] as T;
}

/** A number around 0 with deviation 1: twelve uniform ones less their mean (Irwin-Hall), so no function of the platform's `libm` is in it. */
export function normal(random: Random): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random.next();
  return sum;
}

const TERMS = 20;
const HALVINGS = 4;

/** e to the power of x for |x| <= 8, by additions and multiplications only: the same bits everywhere. */
export function exponential(x: number): number {
  const small = x / 2 ** HALVINGS;
  let term = 1;
  let sum = 1;
  for (let n = 1; n <= TERMS; n++) {
    term = (term * small) / n;
    sum += term;
  }
  for (let i = 0; i < HALVINGS; i++) sum *= sum;
  return sum;
}
