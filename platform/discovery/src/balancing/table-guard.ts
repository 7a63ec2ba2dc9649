import type { Member } from './member.ts';

/** Tells whether a table has to be built again: it depends on ids and weights alone, not on who is well. */
export function createTableGuard(): (known: readonly Member[]) => boolean {
  let built: readonly { readonly id: string; readonly weight: number }[] | undefined;
  return (known) => {
    const same =
      built?.length === known.length &&
      built.every(({ id, weight }, index) => {
        const now = known[index]?.instance;
        return now?.id === id && now.weight === weight;
      });
    if (!same) built = known.map(({ instance }) => ({ id: instance.id, weight: instance.weight }));
    return !same;
  };
}
