import type { Name } from './name.ts';

/** Numbers of record types (RFC 1035, 2782, 3596, 6891) that this server knows by name. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  ANY: 255,
} as const;

export const CLASS = { IN: 1, ANY: 255 } as const;

/** Response codes. 16 needs EDNS0: its upper bits travel in the OPT record. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

export const OPCODE_QUERY = 0;

/** Length of the header, the part that every message has. */
export const HEADER_BYTES = 12;

export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

interface Owner {
  readonly name: Name;
  /** Seconds a resolver may keep it. */
  readonly ttl: number;
}

/** A record of class IN. What has no form of its own keeps its bytes. */
export type ResourceRecord =
  | (Owner & { readonly type: 'A' | 'AAAA'; readonly address: string })
  | (Owner & { readonly type: 'NS' | 'CNAME' | 'PTR'; readonly target: Name })
  | (Owner & {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: Name;
    })
  /** Each string is at most 255 bytes, in Latin-1: a character is a byte. */
  | (Owner & { readonly type: 'TXT'; readonly strings: readonly string[] })
  | (Owner & {
      readonly type: 'SOA';
      readonly primary: Name;
      readonly mailbox: Name;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      /** Seconds a resolver may remember that a name does not exist (RFC 2308). */
      readonly minimum: number;
    })
  | (Owner & {
      readonly type: 'OTHER';
      readonly typeCode: number;
      readonly class: number;
      readonly data: Uint8Array;
    });

/** EDNS0 (RFC 6891). */
export interface Edns {
  /** Largest UDP answer the sender takes, in bytes. */
  readonly udpPayloadBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** The options as they came. */
  readonly options: Uint8Array;
}

export interface Message {
  readonly id: number;
  readonly response: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** With EDNS0 up to 4095, else up to 15. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns;
}
