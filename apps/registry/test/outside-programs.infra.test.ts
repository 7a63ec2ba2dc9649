// Programs that know Consul, as Debian ships them, against the registry as a process.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dig, haproxyServer, prometheusServer } from '../../../tests/support/programs.ts';
import { registryProcess, until, type WebTarget, webTarget } from './registry-process.ts';

const registry = await registryProcess();
const targets: WebTarget[] = [];
before(() => registry.start());
after(async () => {
  for (const target of targets) target.close();
  await registry.close();
});

async function target(name: string): Promise<WebTarget> {
  const made = await webTarget(name);
  targets.push(made);
  return made;
}

async function put(path: string, body?: object): Promise<void> {
  const answer = await fetch(`${registry.url}/v1${path}`, { method: 'PUT', body: JSON.stringify(body) ?? null });
  assert.equal(answer.status, 200, `${path}: ${await answer.text()}`);
}

const register = (service: string, { name, port }: { name: string; port: number }, more: object = {}) =>
  put('/agent/service/register', { ID: name, Name: service, Address: '127.0.0.1', Port: port, ...more });

interface PrometheusTarget {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
}

test('Prometheus finds instances, scrapes them, and drops those that are gone', async () => {
  const [one, two] = [await target('prom-1'), await target('prom-2')];
  await register('scraped', one, { Tags: ['eu', 'v1'], Meta: { version: '1.4.0' } });
  await register('not-scraped', await target('prom-0'));
  const prometheus = await prometheusServer({
    scrape_configs: [
      {
        job_name: 'souk',
        scrape_interval: '500ms',
        scrape_timeout: '400ms',
        consul_sd_configs: [{ server: registry.url.slice('http://'.length), refresh_interval: '500ms' }],
        relabel_configs: [
          { source_labels: ['__meta_consul_service'], regex: 'scraped', action: 'keep' },
          { source_labels: ['__meta_consul_service_id'], target_label: 'id' },
          { source_labels: ['__meta_consul_tags'], target_label: 'tags' },
          { source_labels: ['__meta_consul_service_metadata_version'], target_label: 'version' },
          { source_labels: ['__meta_consul_dc'], target_label: 'dc' },
        ],
      },
    ],
  });
  try {
    await prometheus.start();
    const ask = async (path: string) => {
      const answer = await fetch(`${prometheus.url}/api/v1/${path}`);
      // biome-ignore lint/suspicious/noExplicitAny: whatever it answers
      return ((await answer.json()) as any).data;
    };
    const up = async () => {
      const { activeTargets } = (await ask('targets')) as { activeTargets: readonly PrometheusTarget[] };
      return activeTargets.filter(({ health }) => health === 'up').map(({ labels }) => labels);
    };
    const is = async (...ids: string[]) => {
      const found = (await up()).map(({ id }) => id).sort();
      return found.length === ids.length && found.every((id, at) => id === ids[at]);
    };
    await until('the first target', () => is('prom-1'));
    const [labels] = await up();
    assert.deepEqual([labels?.tags, labels?.version, labels?.dc], [',eu,v1,', '1.4.0', 'dc1']);
    const { result } = await ask('query?query=web_target');
    assert.deepEqual(
      result.map(({ metric }: { metric: { target: string } }) => metric.target),
      ['prom-1'],
    );
    await register('scraped', two);
    await until('the second', () => is('prom-1', 'prom-2'));
    await put('/agent/service/deregister/prom-1');
    await until('the end of the first', () => is('prom-2'));
  } finally {
    await prometheus.close();
  }
});

test('dig is answered with SRV, A, AAAA and TXT, by name, tag and RFC 2782', async () => {
  await register('found', { name: 'dig-1', port: 8081 }, { Tags: ['v1'], Address: '10.1.2.3' });
  await register('found', { name: 'dig-2', port: 8082 }, { Tags: ['v2'], Address: 'fd00::2' });
  const short = async (...words: string[]) =>
    (await dig(registry.dnsPort, ['+short', ...words])).trim().split('\n').sort();
  assert.deepEqual(await short('found.service.consul', 'A'), ['10.1.2.3']);
  assert.deepEqual(await short('found.service.dc1.consul', 'AAAA'), ['fd00::2']);
  assert.deepEqual(await short('v1.found.service.consul', 'SRV'), ['1 1 8081 0a010203.addr.dc1.consul.']);
  assert.deepEqual(await short('_found._v1.consul', 'SRV'), ['1 1 8081 0a010203.addr.dc1.consul.']);
  assert.equal((await short('_found._tcp.service.consul', 'SRV')).length, 2);
  assert.deepEqual(await short('0a010203.addr.consul', 'A'), ['10.1.2.3']);
  assert.deepEqual(await short('FOUND.Service.CONSUL', 'A', '+tcp'), ['10.1.2.3']);
  const full = await dig(registry.dnsPort, ['found.service.consul', 'SRV']);
  assert.match(full, /flags:[^;]*\baa\b/);
  assert.match(full, /ADDITIONAL SECTION:[\s\S]*10\.1\.2\.3/);
});

test('dig is told of names that are not there, and of names without such a record', async () => {
  const unknown = await dig(registry.dnsPort, ['nobody.service.consul', 'A']);
  assert.match(unknown, /status: NXDOMAIN/);
  // Whoever remembers that a name is not there would not see it come.
  assert.match(unknown, /consul\.\s+0\s+IN\s+SOA\s.* 0\n/);
  await register('four', { name: 'four-1', port: 80 }, { Address: '10.1.2.4' });
  const empty = await dig(registry.dnsPort, ['four.service.consul', 'AAAA']);
  assert.match(empty, /status: NOERROR/);
  assert.match(empty, /ANSWER: 0, AUTHORITY: 1/);
  assert.match(await dig(registry.dnsPort, ['example.org', 'A']), /status: (REFUSED|NXDOMAIN|SERVFAIL)/);
});

test('an answer that is too long for UDP says so, and dig gets all of it over TCP or with a larger buffer', async () => {
  const count = 60;
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      register('many', { name: `many-${index}`, port: 9000 + index }, { Address: `10.2.0.${index + 1}` }),
    ),
  );
  const ask = (...words: string[]) => dig(registry.dnsPort, ['many.service.consul', 'A', ...words]);
  const answers = (text: string) => (text.match(/^many\.service\.consul\..*\sA\s/gm) ?? []).length;
  const cut = await ask('+noedns', '+ignore');
  assert.match(cut, /flags:[^;]*\btc\b/);
  assert.ok(answers(cut) > 0 && answers(cut) < count && Number(/MSG SIZE\s+rcvd: (\d+)/.exec(cut)?.[1]) <= 512);
  // Without being told not to, dig asks again over TCP.
  assert.equal(answers(await ask('+noedns')), count);
  const whole = await ask('+bufsize=4096', '+ignore');
  assert.equal(answers(whole), count);
  assert.doesNotMatch(whole, /flags:[^;]*\btc\b/);
  assert.match(whole, /EDNS: version: 0/);
});

test('an instance that is critical is not in DNS, and is back when it passes', async () => {
  await register('checked', { name: 'checked-1', port: 80 }, { Address: '10.1.2.5', Check: { TTL: '60s' } });
  const ask = async () => (await dig(registry.dnsPort, ['+short', 'checked.service.consul', 'A'])).trim();
  assert.equal(await ask(), '');
  await put('/agent/check/pass/service:checked-1');
  await until('the instance', async () => (await ask()) === '10.1.2.5');
  await put('/agent/check/fail/service:checked-1');
  await until('its end', async () => (await ask()) === '');
});

test('HAProxy resolves servers by SRV, and follows who comes and goes', async () => {
  const [one, two] = [await target('ha-1'), await target('ha-2')];
  await register('proxied', one);
  const haproxy = await haproxyServer((port) =>
    [
      'global',
      '  log stdout format raw local0 warning',
      'defaults',
      '  mode http',
      '  timeout connect 1s',
      '  timeout client 5s',
      '  timeout server 5s',
      'resolvers souk',
      `  nameserver one 127.0.0.1:${registry.dnsPort}`,
      '  accepted_payload_size 4096',
      '  resolve_retries 2',
      '  timeout resolve 200ms',
      '  timeout retry 200ms',
      '  hold valid 200ms',
      '  hold obsolete 200ms',
      '  hold nx 200ms',
      'backend web',
      '  balance roundrobin',
      '  server-template web 4 _proxied._tcp.service.consul resolvers souk init-addr none check inter 100ms',
      'frontend all',
      `  bind 127.0.0.1:${port}`,
      '  default_backend web',
    ]
      .join('\n')
      .concat('\n'),
  );
  try {
    await haproxy.start();
    const heard = async () => {
      const names = new Set<string>();
      for (let times = 0; times < 8; times++) {
        const answer = await fetch(haproxy.url);
        names.add(answer.status === 200 ? await answer.text() : String(answer.status));
      }
      return [...names].sort().join(' ');
    };
    await until('the first', async () => (await heard()) === 'ha-1');
    await register('proxied', two);
    await until('both', async () => (await heard()) === 'ha-1 ha-2');
    await put('/agent/service/maintenance/ha-1?enable=true');
    await until('the second alone', async () => (await heard()) === 'ha-2');
  } finally {
    await haproxy.close();
  }
});
