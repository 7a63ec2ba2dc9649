import type { Random } from '@souk/kernel';
import type { Money } from '../money.ts';
import { describe, type Traits } from './describe.ts';
import { pick } from './draw.ts';
import { shopPrices } from './prices.ts';
import { electronics } from './verticals/electronics.ts';
import { fashion } from './verticals/fashion.ts';
import { gardenFood } from './verticals/garden-food.ts';
import { home } from './verticals/home.ts';
import { kitchen } from './verticals/kitchen.ts';
import { leisure } from './verticals/leisure.ts';
import { outdoor } from './verticals/outdoor.ts';
import { wellbeing } from './verticals/wellbeing.ts';
import { type Shelf, shelvesOf } from './vocabulary.ts';
import { WORLD_NAMES } from './world-names.ts';

/** A product that no shop sells, but one could. */
export interface GeneratedProduct {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly description: string;
  /** Slug of the category. */
  readonly category: string;
  readonly categoryName: string;
  /** In EUR, USD and JPY. */
  readonly prices: readonly Money[];
  readonly attributes: Readonly<Record<string, string>>;
  /** How often it is asked for, relative to the others: 1,000,000 for the first product, half of it for the second, a third for the third (Zipf). */
  readonly popularity: number;
}

export interface GenerateOptions {
  /** Where all variation comes from: the same sequence gives the same products on every machine. */
  readonly random: Random;
  readonly count: number;
  /** Products per batch. @default 1000 */
  readonly batchSize?: number;
}

const SHELVES: readonly Shelf[] = [
  kitchen,
  home,
  fashion,
  outdoor,
  electronics,
  wellbeing,
  leisure,
  gardenFood,
].flatMap(shelvesOf);
const WORLD_SHARE = 0.02;
const MOST_POPULAR = 1_000_000;
/** Products are dated from here on, one after the other: 2023-01-01T00:00:00Z. */
const FIRST_MS = 1_672_531_200_000;
const STEP_MS = 600_000;
const VARIANT_SHARE = 0.5;

/**
 * Makes up a shop's range, batch by batch, so that a large one never sits in memory whole. The products of a smaller count are the
 * first ones of a larger count with the same random sequence.
 */
export function* generateProducts(options: GenerateOptions): Generator<GeneratedProduct[], void, undefined> {
  const { random, count, batchSize = 1_000 } = options;
  for (let start = 0; start < count; start += batchSize) {
    const length = Math.min(batchSize, count - start);
    yield Array.from({ length }, (_, offset) => makeProduct(random, start + offset));
  }
}

function makeProduct(random: Random, index: number): GeneratedProduct {
  const id = makeId(random, index);
  const world = random.next() < WORLD_SHARE ? pick(random, WORLD_NAMES) : undefined;
  const shelf = SHELVES.find(({ slug }) => slug === world?.category) ?? pick(random, SHELVES);
  const traits: Traits = {
    brand: pick(random, shelf.brands),
    style: pick(random, shelf.styles),
    noun: pick(random, shelf.nouns),
    material: shelf.materials.length === 0 ? '' : pick(random, shelf.materials),
  };
  const variants = shelf.attributes.map(([name, values]) => [name, pick(random, values)] as const);
  const colour = pick(random, shelf.colours);
  return {
    id,
    sku: makeSku(shelf.slug, index),
    name: world?.name ?? makeName(random, traits, variants[0]?.[1] ?? ''),
    description: describe(random, shelf, traits),
    category: shelf.slug,
    categoryName: shelf.name,
    prices: shopPrices(random, shelf.price),
    attributes: Object.fromEntries([
      ['brand', traits.brand],
      ...(traits.material === ''
        ? []
        : [
            ['material', traits.material],
            ['colour', colour],
          ]),
      ...variants,
    ]),
    popularity: Math.round(MOST_POPULAR / (index + 1)),
  };
}

/** "Nordhaven Rustic Stoneware Mug, 350 ml" and shorter. */
function makeName(random: Random, { brand, style, material, noun }: Traits, variant: string): string {
  const middle = material === '' ? style : pick(random, [style, material, material, `${style} ${material}`]);
  const telling = /\d/.test(variant) && /[a-z]/i.test(variant) && random.next() < VARIANT_SHARE;
  return `${brand} ${middle} ${noun}${telling ? `, ${variant}` : ''}`;
}

/** `MUG-0000A1`: letters of the category and the product's number in base 36. */
const makeSku = (slug: string, index: number): string =>
  `${slug.replaceAll('-', '').slice(0, 3).toUpperCase()}-${index.toString(36).toUpperCase().padStart(6, '0')}`;

/** A UUIDv7 whose time is the product's place in the range. */
function makeId(random: Random, index: number): string {
  const time = (FIRST_MS + index * STEP_MS).toString(16).padStart(12, '0');
  const tail = random.bytes(10);
  tail[0] = ((tail[0] ?? 0) & 0x0f) | 0x70;
  tail[2] = ((tail[2] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(tail, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `prd_${time.slice(0, 8)}-${time.slice(8)}-${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8)}`;
}
