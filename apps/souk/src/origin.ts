const EVERYWHERE = ['0.0.0.0', '::'];

/** How a server that listens at an address is reached from its own machine. */
export function originOf(host: string, port: number): string {
  const name = EVERYWHERE.includes(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
