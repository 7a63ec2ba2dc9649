/** Who may call a method. */
export type Access = 'internal' | 'public' | 'user' | 'admin';

/** Whether a method may be repeated: `natural` by itself, `key` under an idempotency key, `none` not without asking. */
export type Idempotency = 'none' | 'natural' | 'key';

/** How much depends on a method, the most first: what is least important is refused first when there is too much to do. */
export type Importance = 'critical_plus' | 'critical' | 'default' | 'sheddable_plus' | 'sheddable';

/** How a method is reached over REST. */
export interface HttpRoute {
  readonly verb: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Template: `/api/v1/orders/{id}`. */
  readonly path: string;
  /** `*`: the body is the request; a field's name: the body is that field; empty: no body, fields come from path and query. */
  readonly body: string;
}

/** What a contract says about one method. */
export interface MethodRules {
  readonly access: Access;
  /** JSON name of the request field that holds a user's id whose owner may call. */
  readonly ownerField: string | undefined;
  readonly idempotency: Idempotency;
  readonly noSideEffects: boolean;
  /** REST answers 201. */
  readonly creates: boolean;
  /** Time a caller waits unless it says otherwise; undefined: the client's default. */
  readonly timeoutMs: number | undefined;
  readonly routes: readonly HttpRoute[];
  /** Methods of administrators are `critical_plus` unless the contract says otherwise: who repairs must get in. */
  readonly criticality: Importance;
}
