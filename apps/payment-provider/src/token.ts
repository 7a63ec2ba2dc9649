/** What the bank makes of a charge. */
export interface TokenBehaviour {
  readonly brand: string;
  readonly last4: string;
  /** Why every charge fails; empty: it succeeds. */
  readonly failureCode: string;
  /** `hang`: charges, then never answers. `flaky`: fails twice per key. `slow`: takes its time. `refund-fails-late`: see the README. */
  readonly quirk: 'none' | 'hang' | 'flaky' | 'slow' | 'refund-fails-late';
}

const card = (
  last4: string,
  quirk: TokenBehaviour['quirk'] = 'none',
  failureCode = '',
  brand = 'visa',
): TokenBehaviour => ({ brand, last4, failureCode, quirk });

const TOKENS: ReadonlyMap<string, TokenBehaviour> = new Map([
  ['tok_visa', card('4242')],
  ['tok_mastercard', card('4444', 'none', '', 'mastercard')],
  ['tok_declined', card('0002', 'none', 'card_declined')],
  ['tok_insufficient_funds', card('9995', 'none', 'insufficient_funds')],
  ['tok_expired', card('0069', 'none', 'expired_card')],
  ['tok_timeout', card('1984', 'hang')],
  ['tok_flaky', card('5035', 'flaky')],
  ['tok_slow', card('2000', 'slow')],
  ['tok_refund_fails_late', card('5126', 'refund-fails-late')],
]);

/** How a token behaves; undefined when there is no such token. */
export const behaviourOf = (token: string): TokenBehaviour | undefined => TOKENS.get(token);
