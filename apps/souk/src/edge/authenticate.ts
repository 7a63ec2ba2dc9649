import type { IncomingHttpHeaders } from 'node:http';
import { ANONYMOUS, type Caller } from '@souk/kernel';
import { constantTimeEqual, type TokenVerifier } from '@souk/security';

/** Who operates the shop from its own machine: may do everything, internal calls included. */
const OPERATOR: Caller = Object.freeze({ roles: Object.freeze(['admin']), service: 'operator' });

/**
 * Tells who sends a request: nobody, a user with an access token, or the operator, whose token is a file only they can read.
 *
 * @throws what the verifier throws for a token that is not good
 */
export const createAuthenticate =
  (verifier: TokenVerifier, operatorToken: string) =>
  async (headers: IncomingHttpHeaders): Promise<Caller> => {
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(headers.authorization ?? '')?.[1];
    if (headers.authorization === undefined) return ANONYMOUS;
    if (token !== undefined && constantTimeEqual(token, operatorToken)) return OPERATOR;
    const { userId, roles } = await verifier.verify(token ?? '');
    return { userId, roles };
  };
