import { kernelErrors } from '@souk/kernel';
import { notSent } from '@souk/rpc';
import { Channel, type ChannelInit } from './channel.ts';
import type { ChannelCall } from './channel-call.ts';

export interface ChannelsInit extends Omit<ChannelInit, 'onRefused' | 'onFull'> {
  /** Sends a call over HTTP, which every server knows. */
  readonly overHttp: (call: ChannelCall) => void;
}

/** A server that opened no channel is asked again after so many milliseconds. */
const ASK_AGAIN_MS = 60_000;
/** It says so while it starts or stops: the next call may ask again. */
const NOT_NOW = 503;

/** The channels to one instance: one that takes calls, and some that end. */
export class Channels {
  readonly #init: ChannelsInit;
  readonly #all = new Set<Channel>();
  #current: Channel | undefined = undefined;
  /** Monotonic milliseconds until which no channel is asked for. */
  #withoutUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(init: ChannelsInit) {
    this.#init = init;
  }

  readonly place = (call: ChannelCall): void => {
    if (this.#isClosed) call.fail(notSent(call.service, kernelErrors.QUEUE_CLOSED({ queue: 'the way to it' })));
    else if (this.#init.clock.monotonicMs() < this.#withoutUntilMs) this.#overHttp(call);
    else {
      this.#current ??= this.#open();
      if (!this.#current.add(call))
        call.fail(notSent(call.service, kernelErrors.QUEUE_FULL({ queue: 'the channel to it' })));
    }
  };

  /** Calls under way end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#all].map((channel) => channel.close()));
  }

  #open(): Channel {
    const channel: Channel = new Channel({
      ...this.#init,
      onFull: () => {
        if (this.#current === channel) this.#current = undefined;
      },
      onRefused: (calls, status) => {
        if (status !== NOT_NOW) this.#withoutUntilMs = this.#init.clock.monotonicMs() + ASK_AGAIN_MS;
        for (const call of calls) this.#overHttp(call);
      },
    });
    this.#all.add(channel);
    void channel.over.then(() => this.#all.delete(channel));
    return channel;
  }

  #overHttp(call: ChannelCall): void {
    if (call.isDone) return;
    call.release();
    this.#init.overHttp(call);
  }
}
