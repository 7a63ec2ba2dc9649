import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** What the server says to a command, by its first word; `DATA.` is the end of a message. undefined: nothing, ever; `drop`: hangs up. */
export type Say = (word: string, line: string) => string | 'drop' | undefined;

const USUAL: Readonly<Record<string, string>> = {
  EHLO: '250-test\r\n250 AUTH PLAIN',
  AUTH: '235 welcome',
  DATA: '354 go on',
  QUIT: '221 bye',
};

/** A mail server of a few lines that does what the test says. */
export async function mailServer(say: Say = () => '') {
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let text = '';
    let inData = false;
    const answer = (word: string, line: string) => {
      const said = say(word, line);
      if (said === undefined) return;
      if (said === 'drop') return void socket.destroy();
      socket.write(`${said || USUAL[word] || '250 ok'}\r\n`);
    };
    const greeting = say('GREETING', '');
    if (greeting === 'drop') return void socket.destroy();
    if (greeting !== undefined) socket.write(`${greeting || '220 test'}\r\n`);
    socket.on('data', (chunk) => {
      text += chunk.toString();
      for (;;) {
        const end = inData ? '\r\n.\r\n' : '\r\n';
        const at = text.indexOf(end);
        if (at < 0) return;
        const part = text.slice(0, at);
        text = text.slice(at + end.length);
        if (inData) {
          inData = false;
          messages.push(part);
          answer('DATA.', part);
          continue;
        }
        const word = (part.split(' ')[0] ?? '').toUpperCase();
        inData = word === 'DATA' && (say(word, part) ?? '') === '';
        answer(word, part);
      }
    });
  };
  const server = createServer(serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** As they came, headers included. */
    messages,
    connections: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
