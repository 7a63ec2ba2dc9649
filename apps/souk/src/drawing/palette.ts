export type Paint = (text: string) => string;

/** Colours for people; without a terminal all of them leave the text as it is. */
export interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly green: Paint;
  readonly red: Paint;
  readonly yellow: Paint;
}

const as: Paint = (text) => text;

export const plain: Palette = Object.freeze({ bold: as, dim: as, green: as, red: as, yellow: as });
