import type { Random } from '@souk/kernel';
import { pick } from './draw.ts';
import type { Shelf } from './vocabulary.ts';

/** What a product is, in words; `material` is empty where nobody asks. */
export interface Traits {
  readonly brand: string;
  readonly style: string;
  readonly noun: string;
  readonly material: string;
}

/** One to three sentences. */
export function describe(random: Random, shelf: Shelf, traits: Traits): string {
  const sentences = [opening(random, traits, pick(random, shelf.uses))];
  if (random.next() < 0.8) sentences.push(pick(random, shelf.details));
  if (sentences.length === 2 && random.next() < 0.55) sentences.push(pick(random, shelf.promises));
  return sentences.join(' ');
}

/** Sentences that read well whether the noun is one thing or several. */
function opening(random: Random, { brand, style, noun, material }: Traits, use: string): string {
  const [what, how, of] = [noun, style, material].map((part) => part.toLowerCase()) as [string, string, string];
  const shapes = [
    `Made for ${use}.`,
    `${capital(how)}, well made and just right for ${use}.`,
    `${brand} thought of ${use} when making this.`,
    `${capital(use)} called for something better, so here it is.`,
    of === '' ? `Made with ${use} in mind.` : `${capital(`${how} ${of}`)} and careful work, with ${use} in mind.`,
    `Everything you want from ${what}, and nothing you do not: good for ${use}.`,
    `${capital(use)}: that is what this is for.`,
  ];
  return pick(random, shapes);
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
