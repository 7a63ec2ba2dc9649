/** An iteration that begins when its first element is asked for; until then there is nothing to end. */
export function deferred<T>(open: () => Promise<AsyncIterable<T>>): AsyncIterableIterator<T> {
  let opening: Promise<AsyncIterator<T>> | undefined;
  let opened: AsyncIterator<T> | undefined;
  const first = async (): Promise<AsyncIterator<T>> => {
    const iterable = await open();
    opened = iterable[Symbol.asyncIterator]();
    return opened;
  };
  return {
    next: async () => {
      if (opened !== undefined) return opened.next();
      opening ??= first();
      return (await opening).next();
    },
    return: async () => {
      const iterator = opened ?? (await opening);
      await iterator?.return?.();
      return DONE;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Each element in another form. */
export function mapped<T, TOut>(source: AsyncIterable<T>, map: (value: T) => TOut): AsyncIterableIterator<TOut> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    next: async () => {
      const result = await iterator.next();
      return result.done === true ? DONE : { done: false, value: map(result.value) };
    },
    return: async () => {
      await iterator.return?.();
      return DONE;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Just this one. */
export async function* only<T>(value: T | Promise<T>): AsyncGenerator<T> {
  yield await value;
}

export const DONE = Object.freeze({ done: true, value: undefined }) as IteratorReturnResult<undefined>;
