/** Something that can stand in one list. The links belong to the list. */
export interface Linked {
  gateNext: Linked | undefined;
  gatePrevious: Linked | undefined;
}

/** Doubly linked, so that whoever gives up leaves at once, wherever it stands. */
export class WaitList<T extends Linked> {
  first: T | undefined = undefined;
  last: T | undefined = undefined;
  size = 0;

  push(one: T): void {
    one.gatePrevious = this.last;
    one.gateNext = undefined;
    if (this.last === undefined) this.first = one;
    else this.last.gateNext = one;
    this.last = one;
    this.size++;
  }

  remove(one: T): void {
    if (one.gatePrevious === undefined) this.first = one.gateNext as T | undefined;
    else one.gatePrevious.gateNext = one.gateNext;
    if (one.gateNext === undefined) this.last = one.gatePrevious as T | undefined;
    else one.gateNext.gatePrevious = one.gatePrevious;
    one.gateNext = undefined;
    one.gatePrevious = undefined;
    this.size--;
  }
}
