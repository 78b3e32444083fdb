"""The lab as a Temporal worker in Python: the reference for the lab that is a component.

    python worker.py HOST:PORT            workflows and activities (on a Temporal server)
    python worker.py HOST:PORT activities activities only (where the Lab runs as a component)
"""
import asyncio
import json
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import (ActivityError, ApplicationError, CancelledError, ChildWorkflowError,
                                   FailureError, TerminatedError, TimeoutError, is_cancelled_exception)
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "lab"


def ms(n):
    return None if n is None else timedelta(milliseconds=n)


def say(e):
    """A failure as one line: what a log entry shows of it."""
    if isinstance(e, (ActivityError, ChildWorkflowError)):
        return say(e.cause)
    if isinstance(e, ApplicationError):
        return f"{e.type}: {e.message}"
    if isinstance(e, TimeoutError):
        return f"timeout {e.type.name}"
    if isinstance(e, TerminatedError):
        return "terminated"
    if isinstance(e, CancelledError) or is_cancelled_exception(e):
        return "cancelled"
    return type(e).__name__


class Return(Exception):
    def __init__(self, value):
        self.value = value


@workflow.defn(name="Lab")
class Lab:
    @workflow.init
    def __init__(self, program):
        self.log, self.notes, self.sum = list(program.get("log", [])), 0, 0

    @workflow.run
    async def run(self, program):
        try:
            await self.steps(program.get("steps", []))
        except Return as r:
            return r.value
        except BaseException as e:
            if is_cancelled_exception(e) and "on_cancel" in program:
                await self.steps(program["on_cancel"])
            raise
        return self.log

    async def steps(self, steps):
        for s in steps:
            await getattr(self, "op_" + s["op"])(s)

    async def op_log(self, s):
        self.log.append(s["text"])

    async def op_sleep(self, s):
        await asyncio.sleep(s["ms"] / 1000)
        self.log.append("slept")

    async def op_activity(self, s):
        await self.act(workflow.execute_activity, s)

    async def op_local_activity(self, s):
        await self.act(workflow.execute_local_activity, s)

    async def act(self, call, s):
        options = dict(start_to_close_timeout=ms(s.get("start_to_close_ms", 10000)),
                       schedule_to_close_timeout=ms(s.get("schedule_to_close_ms")),
                       schedule_to_start_timeout=ms(s.get("schedule_to_start_ms")),
                       retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=s.get("retry_ms", 20)),
                                                maximum_attempts=s.get("attempts", 0),
                                                non_retryable_error_types=s.get("fatal_types", [])))
        if call is workflow.execute_activity:
            options["heartbeat_timeout"] = ms(s.get("heartbeat_ms"))
            options["task_queue"] = s.get("queue", QUEUE)
        try:
            value = await call(s["type"], args=s.get("args", []), **options)
            self.log.append(f"{s['type']}={json.dumps(value)}")
        except ActivityError as e:
            if is_cancelled_exception(e):
                raise
            self.log.append(f"{s['type']} failed: {say(e)}")

    async def op_wait(self, s):
        try:
            await workflow.wait_condition(lambda: self.notes >= s["notes"], timeout=ms(s.get("timeout_ms")))
            self.log.append("waited")
        except asyncio.TimeoutError:
            self.log.append("timeout")

    async def op_parallel(self, s):
        await asyncio.gather(*[asyncio.create_task(self.steps(b)) for b in s["branches"]])

    async def op_race(self, s):
        tasks = [asyncio.create_task(self.steps(b)) for b in s["branches"]]
        await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        won = next(i for i, t in enumerate(tasks) if t.done())
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.log.append(f"won={won}")

    async def op_child(self, s):
        policy = {"terminate": 1, "abandon": 2, "request_cancel": 3}[s.get("policy", "terminate")]
        try:
            child = await workflow.start_child_workflow(
                s.get("type", "Lab"), s["program"], id=s["id"], task_queue=QUEUE,
                parent_close_policy=workflow.ParentClosePolicy(policy))
            self.log.append("child started")
            if s.get("wait", True):
                self.log.append(f"child={json.dumps(await child)}")
        except FailureError as e:
            if is_cancelled_exception(e) and workflow.cancellation_reason() is not None:
                raise
            self.log.append("child failed: " + ("exists" if type(e).__name__ == "WorkflowAlreadyStartedError" else say(e)))

    async def op_signal(self, s):
        try:
            await workflow.get_external_workflow_handle(s["id"]).signal(s["name"], args=s.get("args", []))
            self.log.append("signalled")
        except FailureError as e:
            self.log.append("signal failed: " + say(e))

    async def op_cancel(self, s):
        try:
            await workflow.get_external_workflow_handle(s["id"]).cancel()
            self.log.append("cancel requested")
        except FailureError as e:
            self.log.append("cancel failed: " + say(e))

    async def op_continue(self, s):
        workflow.continue_as_new(args=[{**s["program"], "log": self.log} if s.get("carry", True) else s["program"]])

    async def op_patch(self, s):
        await self.steps(s.get("then", []) if workflow.patched(s["id"]) else s.get("else", []))

    async def op_fail(self, s):
        raise ApplicationError(s["message"], type=s.get("type", "LabError"), non_retryable=s.get("non_retryable", False))

    async def op_return(self, s):
        raise Return(s["value"])

    async def op_memo(self, s):
        workflow.upsert_memo(s["memo"])

    async def op_handlers(self, s):
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.signal
    def note(self, text):
        self.notes += 1
        self.log.append("note:" + text)

    @workflow.signal(name="run")
    async def signal_run(self, steps):
        await self.steps(steps)

    @workflow.query(name="log")
    def query_log(self):
        return self.log

    @workflow.query(name="sum")
    def query_sum(self):
        return self.sum

    @workflow.query(name="fail")
    def query_fail(self, message):
        raise ApplicationError(message, type="Asked")

    @workflow.update
    def add(self, n):
        self.sum += n
        return self.sum

    @add.validator
    def check_add(self, n):
        if n < 0:
            raise ApplicationError("negative", type="Refused")

    @workflow.update(name="run")
    async def update_run(self, steps):
        await self.steps(steps)
        return len(self.log)

    @workflow.update(name="fail")
    async def update_fail(self, message):
        raise ApplicationError(message, type="Asked")


@activity.defn
def echo(value):
    return value


@activity.defn
def flaky(failures):
    """Fails that many times, then gives the number of the attempt."""
    if activity.info().attempt <= failures:
        raise ApplicationError(f"attempt {activity.info().attempt}", type="Flaky")
    return activity.info().attempt


@activity.defn
def fatal(message):
    raise ApplicationError(message, type="Fatal", non_retryable=True)


@activity.defn
def slow(wait_ms):
    time.sleep(wait_ms / 1000)
    return wait_ms


@activity.defn
async def beat(beats, wait_ms):
    """Heartbeats that many times; on a second attempt goes on from the recorded details."""
    done = activity.info().heartbeat_details[0] if activity.info().heartbeat_details else 0
    for i in range(done, beats):
        activity.heartbeat(i + 1)
        await asyncio.sleep(wait_ms / 1000)
        if i + 1 == beats // 2 and activity.info().attempt == 1:
            raise ApplicationError("half way", type="Half")
    return [done, beats]


async def main(addr, what="all"):
    from concurrent.futures import ThreadPoolExecutor
    client = await Client.connect(addr)
    await Worker(client, task_queue=QUEUE, workflows=[] if what == "activities" else [Lab],
                 activities=[echo, flaky, fatal, slow, beat], workflow_runner=UnsandboxedWorkflowRunner(),
                 activity_executor=ThreadPoolExecutor(50)).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
