import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { registryErrors } from '../errors.ts';

/**
 * Lets probes reach some networks only: whoever can register a check makes the registry send requests, and it may reach what they cannot.
 */
export interface TargetGuard {
  /** For the options of a socket. Names are judged by the address that is then used, so a name that changes its mind gains nothing. */
  readonly lookup: LookupFunction;
  /** Judges a host that is an address, for which nothing is looked up. @throws REGISTRY_FORBIDDEN_TARGET */
  check(host: string): void;
}

/** @param networks `127.0.0.0/8`, `fc00::/7`. @throws REGISTRY_BAD_FLAG */
export function createTargetGuard(networks: readonly string[]): TargetGuard {
  const allowed = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    const family = isIP(address);
    const length = bits === '' ? (family === 4 ? 32 : 128) : Number(bits);
    if (family === 0 || !Number.isInteger(length) || length < 0 || length > (family === 4 ? 32 : 128)) {
      throw registryErrors.BAD_FLAG({ what: `'${network}' is no network: want one like 10.0.0.0/8 or fc00::/7` });
    }
    allowed.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  }

  const isAllowed = (address: string): boolean => {
    // An IPv4 address in the clothes of IPv6.
    const plain = address.toLowerCase().startsWith('::ffff:') ? address.slice(7) : address;
    const family = isIP(plain);
    if (family === 4) return allowed.check(plain, 'ipv4');
    return family === 6 && allowed.check(plain, 'ipv6');
  };

  return {
    check: (host) => {
      const address = host.replace(/^\[|\]$/g, '');
      if (isIP(address) !== 0 && !isAllowed(address)) throw registryErrors.FORBIDDEN_TARGET({ address });
    },
    lookup: (host, options, done) => {
      systemLookup(host, { ...options, all: true }, (error, found) => {
        if (error !== null) {
          done(error, '', 0);
          return;
        }
        const good = found.filter(({ address }) => isAllowed(address));
        const [first] = good;
        if (first === undefined) {
          done(registryErrors.FORBIDDEN_TARGET({ address: host }), '', 0);
          return;
        }
        if (options.all === true) done(null, good);
        else done(null, first.address, first.family);
      });
    },
  };
}
