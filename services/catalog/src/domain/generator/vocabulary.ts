/** What the generator knows about one category. Lists are written `a|b|c`. */
export interface CategoryWords {
  readonly slug: string;
  readonly name: string;
  /** Middle of its prices, in EUR cents. */
  readonly price: number;
  readonly nouns: string;
  /** In place of the vertical's. */
  readonly styles?: string;
  /** In place of the vertical's; empty where nobody asks what it is made of. */
  readonly materials?: string;
  /** What it is good for; completes "made for ...". */
  readonly uses: string;
  /** Attributes beyond brand, material and colour: name to values. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** A group of categories that share brands, materials and a way of speaking. */
export interface Vertical {
  readonly brands: string;
  readonly styles: string;
  readonly materials: string;
  readonly colours: string;
  /** Second sentences of descriptions. */
  readonly details: string;
  /** Last sentences of descriptions. */
  readonly promises: string;
  readonly categories: readonly CategoryWords[];
}

export const words = (list: string): readonly string[] => (list === '' ? [] : list.split('|'));

/** A category with its lists taken apart. */
export interface Shelf {
  readonly slug: string;
  readonly name: string;
  readonly price: number;
  readonly brands: readonly string[];
  readonly styles: readonly string[];
  readonly materials: readonly string[];
  readonly colours: readonly string[];
  readonly nouns: readonly string[];
  readonly uses: readonly string[];
  readonly details: readonly string[];
  readonly promises: readonly string[];
  readonly attributes: readonly (readonly [name: string, values: readonly string[]])[];
}

export const shelvesOf = (vertical: Vertical): readonly Shelf[] =>
  vertical.categories.map((category) => ({
    slug: category.slug,
    name: category.name,
    price: category.price,
    brands: words(vertical.brands),
    styles: words(category.styles ?? vertical.styles),
    materials: words(category.materials ?? vertical.materials),
    colours: words(vertical.colours),
    nouns: words(category.nouns),
    uses: words(category.uses),
    details: words(vertical.details),
    promises: words(vertical.promises),
    attributes: Object.entries(category.attributes).map(([name, list]) => [name, words(list)] as const),
  }));
