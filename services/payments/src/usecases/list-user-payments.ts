import type { ListUserPaymentsRequest } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { decodePageToken, encodePageToken, pageSize } from '@souk/service';
import { paymentMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { listOfUser } from '../store/payment-repository.ts';
import { findRefunds } from '../store/settlement.ts';

const LIST = 'user-payments';
/** Above every id. */
const TOP = '~';

/** A user's payments, newest first. */
export const listUserPayments = (deps: PaymentsDeps) => async (ctx: Context, request: ListUserPaymentsRequest) => {
  const sql = deps.db.at(ctx);
  const size = pageSize(request.pageSize);
  const before = decodePageToken(request.pageToken, LIST, 1)?.[0] ?? TOP;
  const found = await listOfUser(sql, request.userId, before, size + 1);
  const page = found.slice(0, size);
  const refunds = await findRefunds(
    sql,
    page.map(({ id }) => id),
  );
  const last = page.at(-1);
  return {
    payments: page.map((payment) =>
      paymentMessage(
        payment,
        deps.parts.provider.name,
        refunds.filter(({ payment_id }) => payment_id === payment.id),
      ),
    ),
    nextPageToken: found.length > size && last ? encodePageToken(LIST, [last.id]) : '',
  };
};
