declare const brand: unique symbol;

/** A type that is told apart from its base by name only: `type OrderId = Brand<string, 'OrderId'>`. */
export type Brand<TBase, TName extends string> = TBase & { readonly [brand]: TName };
