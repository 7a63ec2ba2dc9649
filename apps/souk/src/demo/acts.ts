import { appErrors } from '../errors.ts';
import type { Stage } from './stage.ts';
import { percentile, refusals, slowest, steadily } from './traffic.ts';

const PROVIDER = 'http:payment-provider';
const AUTHORIZE = 'rpc:payments.AuthorizePayment';
const SEARCH = 'souk.catalog.v1.CatalogService/ListProducts';
const BESIDE = ['souk.loyalty.v1.LoyaltyService', 'souk.notifications.v1.NotificationService'];
const SEARCH_MS = 80;
const SEARCHES_PER_SECOND = 120;
const ORDERS_PER_SECOND = 5;

const seconds = (one: number | undefined): string =>
  one === undefined ? 'not within a minute' : `after ${one.toFixed(1)} s`;

/** @returns how many orders have not been confirmed */
const unconfirmed = (stage: Stage) => (figures: { confirmed: number }) =>
  figures.confirmed >= stage.customers.accepted.length;

export async function calm(stage: Stage): Promise<void> {
  const { customers, tell } = stage;
  stage.act('All is well', `${ORDERS_PER_SECOND} orders a second, each waits for its outcome.`);
  const options = { perSecond: ORDERS_PER_SECOND, forMs: stage.scaled(4000), signal: stage.signal };
  const traffic = await steadily(options, () => customers.order(10));
  tell(`${traffic.tookMs.length} orders; half of them CONFIRMED within ${percentile(traffic, 0.5)} ms`);
  stage.verify(await confirmedSoon(stage), 'every order is confirmed');
}

const confirmedSoon = async (stage: Stage): Promise<boolean> => (await stage.until(unconfirmed(stage))) !== undefined;

export async function providerDown(stage: Stage): Promise<void> {
  const { shop, customers, out, tell, signal } = stage;
  stage.act(
    'The payment provider goes down',
    'It resets every connection. Customers go on ordering. What has failed is tried again by the sagas of the orders;',
    'the breaker in front of the provider keeps them from hammering on it, and tells them when to come again.',
  );
  const before = await stage.figures();
  const watching = stage.watch([PROVIDER, AUTHORIZE]);
  shop.provider.faults.down = true;
  tell(out.red('the provider is down'));
  const forMs = stage.scaled(12_000);
  const ordering = steadily({ perSecond: ORDERS_PER_SECOND, forMs, signal }, () => customers.order());
  const status = steadily({ perSecond: 1 / stage.scaled(3), forMs, signal }, async () => {
    const now = await stage.figures();
    tell(
      `${now.placed - before.placed} orders accepted, ${now.waiting} wait; ` +
        `${now.did(PROVIDER, 'attempts') - before.did(PROVIDER, 'attempts')} requests sent to the provider, ` +
        `${now.did(PROVIDER, 'refused_breaker_open') - before.did(PROVIDER, 'refused_breaker_open')} spared`,
    );
  });
  const [orders] = await Promise.all([ordering, status]);
  const during = await stage.figures();
  stage.verify(refusals(orders) === 0, `every order was accepted, the slowest in ${slowest(orders)} ms`);
  stage.verify(during.rejected === before.rejected, `${during.waiting} orders wait, none was rejected`);
  const spared = during.did(PROVIDER, 'refused_breaker_open') - before.did(PROVIDER, 'refused_breaker_open');
  stage.verify(spared > 0, `the breaker kept ${spared} requests from the provider`);

  shop.provider.faults.down = false;
  tell(out.green('the provider is back; nobody does anything'));
  const [closed, confirmed] = await Promise.all([
    stage.until((now) => now.breaker(PROVIDER) === 'CLOSED'),
    stage.until(unconfirmed(stage)),
  ]);
  await watching.stop();
  stage.verify(closed !== undefined, `the breaker is closed ${seconds(closed)}`);
  stage.verify(confirmed !== undefined, `every order that waited is confirmed ${seconds(confirmed)}`);
}

export async function othersDown(stage: Stage): Promise<void> {
  const { shop, customers, out, tell } = stage;
  const policies = ['rpc:loyalty.AwardPoints', 'rpc:notifications.Notify'];
  stage.act(
    'Loyalty and notifications go down',
    'They come after the point of no return: no order needs them to be confirmed.',
  );
  const watching = stage.watch(policies);
  for (const service of BESIDE) shop.away.add(service);
  tell(out.red('loyalty and notifications are down'));
  const options = { perSecond: ORDERS_PER_SECOND, forMs: stage.scaled(5000), signal: stage.signal };
  const orders = await steadily(options, () => customers.order(10));
  const confirmed = await stage.until(unconfirmed(stage));
  tell(`${orders.tookMs.length} orders; half of them CONFIRMED within ${percentile(orders, 0.5)} ms`);
  stage.verify(refusals(orders) === 0 && confirmed !== undefined, 'every order is confirmed all the same');

  for (const service of BESIDE) shop.away.delete(service);
  tell(out.green('both are back; nobody does anything'));
  const done = await stage.until(({ underWay }) => underWay.souk_sagas_running === 0);
  await watching.stop();
  stage.verify(done !== undefined, `points and letters have come ${seconds(done)}`);
}

export async function tooManySearches(stage: Stage): Promise<void> {
  const { shop, customers, out, tell, signal } = stage;
  const search = async (): Promise<void> => {
    const response = await fetch(`${shop.url}/api/v1/products?query=lamp`);
    await response.arrayBuffer();
    if (response.ok) return;
    const after = response.headers.get('retry-after');
    throw appErrors.REFUSED({ what: 'the search', why: `${response.status}, Retry-After ${after}` });
  };
  const health = async (): Promise<void> => {
    const response = await fetch(`${shop.url}/health/ready`);
    if (!response.ok) throw appErrors.REFUSED({ what: 'a look at its health', why: String(response.status) });
  };
  stage.act(
    'More searches than can be done',
    `A slow catalog (${SEARCH_MS} ms a search), and ${SEARCHES_PER_SECOND} searches a second at a door that lets 4 requests in at once:`,
    'more than twice what can be done. By default it lets hundreds in. The door refuses what is least important first.',
  );
  shop.slow.set(SEARCH, SEARCH_MS);
  tell(out.red('everybody searches'));
  const forMs = stage.scaled(8000);
  const [searches, orders, looks] = await Promise.all([
    steadily({ perSecond: SEARCHES_PER_SECOND, forMs, signal }, search),
    steadily({ perSecond: ORDERS_PER_SECOND, forMs, signal }, () => customers.order()),
    steadily({ perSecond: 5, forMs, signal }, health),
  ]);
  tell(
    `${searches.tookMs.length} searches served, the slowest in ${slowest(searches)} ms; ${refusals(searches)} refused`,
  );
  for (const [why, count] of searches.refused) tell(out.dim(`${count} times: ${why}`));
  tell(`${orders.tookMs.length} orders accepted, the slowest in ${slowest(orders)} ms`);
  tell(`${looks.tookMs.length} looks at its health, the slowest in ${slowest(looks)} ms`);
  stage.verify(
    refusals(searches) > 0 && searches.tookMs.length > 0,
    'searches are refused in part, with a Retry-After',
  );
  stage.verify(refusals(orders) === 0, 'no order was refused');
  stage.verify(refusals(looks) === 0 && percentile(looks, 0.5) < 1000, 'its health was told within a second');

  shop.slow.delete(SEARCH);
  tell(out.green('nobody searches any more'));
  const calm = await stage.until(async () => {
    const again = await steadily({ perSecond: 50, forMs: 200, signal }, search);
    return refusals(again) === 0;
  });
  stage.verify(calm !== undefined, `every search is served again ${seconds(calm)}`);
}
