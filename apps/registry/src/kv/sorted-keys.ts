/** Texts in order, to be found by what they begin with. */
export interface SortedKeys {
  add(key: string): void;
  remove(key: string): void;
  clear(): void;
  /** Those that begin with the prefix, in order. The set must not change meanwhile. */
  startingWith(prefix: string): Generator<string>;
}

export function createSortedKeys(): SortedKeys {
  const keys: string[] = [];
  /** Where the key is, or belongs. */
  const place = (key: string): number => {
    let [low, high] = [0, keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    add: (key) => {
      const at = place(key);
      if (keys[at] !== key) keys.splice(at, 0, key);
    },
    remove: (key) => {
      const at = place(key);
      if (keys[at] === key) keys.splice(at, 1);
    },
    clear: () => {
      keys.length = 0;
    },
    startingWith: function* (prefix) {
      for (let at = place(prefix); at < keys.length; at += 1) {
        const key = keys[at] as string;
        if (!key.startsWith(prefix)) return;
        yield key;
      }
    },
  };
}
