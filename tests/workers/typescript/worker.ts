/**
 * Activities in Temporal's TypeScript SDK: worker.js HOST:PORT FOLDER NAME.
 *
 * It serves the activities of the lab, and one for tests that kill workers. Those wait for files that it writes to FOLDER, and it waits for
 * theirs.
 */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { activityInfo, CancelledFailure, heartbeat, sleep } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

const [address = '', folder = '', name = ''] = process.argv.slice(2);
// A heartbeat that is due reaches the server after this, at the latest.
const THROTTLE = '100ms';

function note(what: string): void {
  // Written beside it first: whoever sees the file sees all of it.
  const beside = join(folder, `.${what}`);
  writeFileSync(beside, '');
  renameSync(beside, join(folder, what));
}

const lab = {
  async echo(value: unknown): Promise<unknown> {
    return value;
  },

  /** Fails so many times, then gives the number of the attempt. */
  async flaky(failures: number): Promise<number> {
    const { attempt } = activityInfo();
    if (attempt <= failures) {
      throw ApplicationFailure.retryable(`attempt ${attempt}`, 'Flaky');
    }
    return attempt;
  },

  async fatal(message: string): Promise<void> {
    throw ApplicationFailure.nonRetryable(message, 'Fatal');
  },

  async slow(waitMs: number): Promise<number> {
    await sleep(waitMs);
    return waitMs;
  },

  /** Heartbeats so many times; a later attempt goes on from the recorded details. */
  async beat(beats: number, waitMs: number): Promise<[number, number]> {
    const { attempt, heartbeatDetails } = activityInfo();
    const done: number = heartbeatDetails ?? 0;
    for (let i = done + 1; i <= beats; i++) {
      heartbeat(i);
      await sleep(waitMs);
      if (i === Math.floor(beats / 2) && attempt === 1) {
        throw ApplicationFailure.retryable('half way', 'Half');
      }
    }
    return [done, beats];
  },
};

const outside = {
  /** Beats until there is a file `WHAT-go`; then tells who it is, which attempt, and what the one before has left. */
  async hold(what: string): Promise<[string, number, string[]]> {
    const { attempt, heartbeatDetails } = activityInfo();
    const left = heartbeatDetails === undefined ? [] : [heartbeatDetails];
    heartbeat(name);
    note(`${what}-${name}-${attempt}`);
    try {
      while (!existsSync(join(folder, `${what}-go`))) {
        heartbeat(name);
        await sleep(20);
      }
    } catch (error) {
      if (error instanceof CancelledFailure) {
        note(`${what}-cancelled`);
      }
      throw error;
    }
    return [name, attempt, left];
  },
};

Runtime.install({ logger: new DefaultLogger('WARN') });
const connection = await NativeConnection.connect({ address });
const workers = await Promise.all(
  Object.entries({ lab, outside }).map(([taskQueue, activities]) =>
    Worker.create({
      connection,
      taskQueue,
      activities,
      identity: name,
      maxHeartbeatThrottleInterval: THROTTLE,
      defaultHeartbeatThrottleInterval: THROTTLE,
    }),
  ),
);
note(`worker-${name}`);
await Promise.all(workers.map((worker) => worker.run()));
