import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonValue } from '@bufbuild/protobuf';
import { type Job, JobSchema, Job_State as JobState } from '@souk/contracts/admin/v1/jobs';
import { progressBar } from '../cli/terminal.ts';
import { printable } from '../drawing/line.ts';
import { decode, type Operator } from './operator.ts';

const FIRST_POLL_MS = 50;
const LONGEST_POLL_MS = 1000;

/** Shows how far a job is until it has ended, and what became of it. @returns the exit code */
export async function followJob({ askRaw, out, json }: Operator, begun: JsonValue, done: string): Promise<number> {
  let answer = begun;
  let job: Job = decode(JobSchema, begun);
  const path = `/api/v1/admin/jobs/${encodeURIComponent(job.id)}`;
  for (let pollMs = FIRST_POLL_MS; job.state === JobState.RUNNING; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const size = job.total === 0 ? `${job.done}` : `${progressBar(job.done, job.total)}  ${job.done} of ${job.total}`;
    if (!json) out.progress(`${job.kind}  ${size}`);
    await sleep(pollMs);
    answer = await askRaw('GET', path);
    job = decode(JobSchema, answer);
  }
  const isGood = job.state === JobState.DONE && job.refused === 0;
  if (json) {
    out.say(JSON.stringify(answer, null, 2));
    return isGood ? 0 : 1;
  }
  const good = job.done - job.refused;
  if (job.state === JobState.DONE) out.say(`${out.green('✓')} ${good} ${done}`);
  else out.say(`${out.red('✗')} ${JobState[job.state]?.toLowerCase()} after ${good} ${done}: ${printable(job.error)}`);
  for (const [why, count] of Object.entries(job.refusals))
    out.say(`  ${out.red(String(count))} refused: ${printable(why)}`);
  return isGood ? 0 : 1;
}
