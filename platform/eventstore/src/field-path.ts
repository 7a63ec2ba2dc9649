type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at a path such as `customer.name`; undefined when there is none. Own properties of objects only. */
export function fieldAt(data: unknown, path: string): unknown {
  let value = data;
  for (const name of path.split('.')) {
    if (!isFields(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** A copy with another value at a path that is there. */
export function withField(data: unknown, path: string, value: unknown): unknown {
  const [name = '', ...rest] = path.split('.');
  if (!isFields(data)) return data;
  return { ...data, [name]: rest.length === 0 ? value : withField(data[name], rest.join('.'), value) };
}
