import type { IncomingHttpHeaders } from 'node:http';
import { type HttpProtocol, type HttpReply, problemReply } from '@souk/rpc';

/** Answers a GET of one path. */
export type Page = (query: URLSearchParams, headers: IncomingHttpHeaders) => HttpReply | Promise<HttpReply>;

/** Nothing on our pages comes from elsewhere, and no page can be framed. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
} as const;

export const html = (body: string, status = 200): HttpReply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache', ...PAGE_HEADERS },
  body,
});

export const json = (value: unknown, status = 200): HttpReply => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
  body: JSON.stringify(value),
});

/** Serves fixed paths, by GET and HEAD. */
export function pages(byPath: Readonly<Record<string, Page>>): HttpProtocol {
  return (verb, path) => {
    const page = Object.hasOwn(byPath, path) ? byPath[path] : undefined;
    if (page === undefined || (verb !== 'GET' && verb !== 'HEAD')) return undefined;
    return {
      route: path,
      handle: async (call) => page(new URLSearchParams(call.query), call.headers),
      fail: problemReply,
    };
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand in HTML, attributes included. */
export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] as string);

/** The frame of every page. @param body HTML, escaped by its maker. */
export const layout = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · souk</title><style>${STYLE}</style></head>
<body><header><a href="/">souk</a><nav><a href="/docs">API</a><a href="/dev/mailbox">Mailbox</a><a href="/metrics">Metrics</a><a href="/health/ready">Health</a></nav></header>
<main>${body}</main></body></html>`;

const STYLE = `
:root{color-scheme:light dark;--line:light-dark(#d9d4cb,#3a3733);--soft:light-dark(#6b655c,#a8a198);--tint:light-dark(#f6f3ee,#211f1d);--accent:light-dark(#9a3412,#fdba74)}
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:light-dark(#fffdf9,#171514);color:light-dark(#1c1917,#f5f0e8)}
header{display:flex;gap:2rem;align-items:baseline;padding:.8rem 1.5rem;border-bottom:1px solid var(--line)}
header>a{font-weight:700;font-size:1.2rem;color:inherit;text-decoration:none}nav{display:flex;gap:1rem;flex-wrap:wrap}
main{max-width:62rem;margin:0 auto;padding:1.5rem}a{color:var(--accent)}h1{line-height:1.2}h2{margin-top:2.5rem}
code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:var(--tint);border:1px solid var(--line);border-radius:6px;padding:.8rem;overflow:auto}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;background:var(--tint)}summary{padding:.5rem .8rem;cursor:pointer;display:flex;gap:.8rem;align-items:baseline;flex-wrap:wrap}
details>div{padding:0 .8rem .8rem}.verb{font:700 13px ui-monospace,monospace;min-width:4rem}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:15px}td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
article{border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;margin:.8rem 0}article h2{margin:0;font-size:1.05rem}article pre{border:0;padding:0;background:none;white-space:pre-wrap}
`;
