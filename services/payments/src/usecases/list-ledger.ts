import type { ListLedgerRequest } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { decodePageToken, encodePageToken, pageSize, serviceErrors } from '@souk/service';
import { ledgerMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { listLedger as list } from '../store/ledger-repository.ts';

const LIST = 'ledger';

/** The entries of the ledger, oldest first. */
export const listLedger = (deps: PaymentsDeps) => async (ctx: Context, request: ListLedgerRequest) => {
  const size = pageSize(request.pageSize);
  const key = decodePageToken(request.pageToken, LIST, 1)?.[0] ?? '0';
  if (!/^\d{1,18}$/.test(key)) throw serviceErrors.PAGE_TOKEN_INVALID();
  const found = await list(deps.db.at(ctx), request, BigInt(key), size + 1);
  const page = found.slice(0, size);
  const last = page.at(-1);
  return {
    entries: page.map(ledgerMessage),
    nextPageToken: found.length > size && last ? encodePageToken(LIST, [String(last.sequence)]) : '',
  };
};
