"""Plays cases against a server through the official client, and prints or checks what a client sees.

    python runner.py HOST:PORT record CASE.json...   writes the observations beside each case: CASE.golden
    python runner.py HOST:PORT check  CASE.json...   compares them; prints `CASE: ok`, or each step that differs

`--patience-s N` (default 30) is how long a step waits for a result.
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import sys
import uuid
from datetime import timedelta

from google.protobuf.message import Message
from temporalio import common
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateStage,
)

QUEUE = "lab"
# Cases that are played at the same time; their executions have ids of their own.
AT_ONCE = 8
# How long a whole case may take, beyond its patience.
CASE_S = 90
# Events that tell of workflow tasks, and of the moment when a worker took something, depend on timing: they are left out.
SKIP = {
    "WorkflowTaskScheduled",
    "WorkflowTaskStarted",
    "WorkflowTaskCompleted",
    "WorkflowTaskFailed",
    "WorkflowTaskTimedOut",
    "ActivityTaskStarted",
    "WorkflowPropertiesModifiedExternally",
}
# What tells one event of a type from another.
SHOW = [
    "signal_name",
    "workflow_type.name",
    "activity_type.name",
    "marker_name",
    "accepted_request.input.name",
    "workflow_execution.workflow_id",
]


def ms(number):
    return None if number is None else timedelta(milliseconds=number)


def failure(error):
    """Class, status and application type of an error and its causes; messages only of application errors."""
    rows = []
    while error is not None:
        row = [type(error).__name__]
        for attribute in ("status", "type"):
            value = getattr(error, attribute, None)
            if value is not None:
                row.append(getattr(value, "name", value))
        if type(error).__name__ == "ApplicationError":
            # RuntimeError is the reference's own: each SDK words these differently.
            row = row[:1] if error.type == "RuntimeError" else row + [error.message]
        rows.append(row)
        cause = getattr(error, "cause", None)
        if cause is None and isinstance(error, WorkflowFailureError):
            cause = error.__cause__
        error = cause
    return {"error": rows}


def same(want, have):
    """Equal; of an error, a row of one element stands for any row that begins with it."""
    if isinstance(want, dict) and "error" in want and isinstance(have, dict) and "error" in have:
        pairs = list(zip(want["error"], have["error"]))
        alike = all(a == b or len(a) == 1 and a == b[:1] for a, b in pairs)
        return len(want["error"]) == len(have["error"]) and alike
    return want == have


class Player:
    """One client that plays one case."""

    def __init__(self, client, salt, patience_s):
        self.client, self.salt, self.patience_s = client, salt, patience_s

    def real(self, value):
        """Workflow ids are unique each time that a case is played: `$x` becomes x and a salt."""
        if isinstance(value, str):
            return re.sub(r"\$(\w+)", lambda match: f"{match[1]}-{self.salt}", value)
        if isinstance(value, list):
            return [self.real(item) for item in value]
        if isinstance(value, dict):
            return {key: self.real(item) for key, item in value.items()}
        return value

    def plain(self, value):
        return None if value is None else json.loads(json.dumps(value).replace("-" + self.salt, ""))

    def start_options(self, step):
        options = step.get("options", {})
        arguments = dict(
            id=step["id"],
            args=[step.get("program", {})],
            task_queue=QUEUE,
            memo=options.get("memo"),
            execution_timeout=ms(options.get("execution_timeout_ms")),
            run_timeout=ms(options.get("run_timeout_ms")),
            start_delay=ms(options.get("start_delay_ms")),
            cron_schedule=options.get("cron", ""),
            id_reuse_policy=common.WorkflowIDReusePolicy[options.get("reuse", "ALLOW_DUPLICATE")],
            id_conflict_policy=common.WorkflowIDConflictPolicy[options.get("conflict", "UNSPECIFIED")],
        )
        if "attempts" in options:
            arguments["retry_policy"] = common.RetryPolicy(
                initial_interval=timedelta(milliseconds=50), maximum_attempts=options["attempts"]
            )
        if "signal" in options:
            signal = options["signal"]
            arguments.update(start_signal=signal["name"], start_signal_args=signal.get("args", []))
        return step.get("type", "Lab"), arguments

    async def play(self, step):
        do = getattr(self, "do_" + step["do"], None)
        if do is None:
            raise SystemExit(f"unknown client step {step['do']}")
        handle = self.client.get_workflow_handle(step["id"]) if "id" in step else None
        return await do(step, handle)

    async def do_start(self, step, _):
        workflow_type, options = self.start_options(step)
        await self.client.start_workflow(workflow_type, **options)
        return "started"

    async def do_signal(self, step, handle):
        return await handle.signal(step["name"], args=step.get("args", []))

    async def do_query(self, step, handle):
        reject = common.QueryRejectCondition[step["reject"]] if "reject" in step else None
        return await handle.query(step["name"], args=step.get("args", []), reject_condition=reject)

    async def do_update(self, step, handle):
        arguments = step.get("args", [])
        return await handle.execute_update(step["name"], args=arguments, id=step.get("update_id"))

    async def do_update_start(self, step, handle):
        update = await handle.start_update(
            step["name"],
            args=step.get("args", []),
            id=step["update_id"],
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        )
        return "accepted " + update.id

    async def do_update_result(self, step, handle):
        update = handle.get_update_handle(step["update_id"])
        return await asyncio.wait_for(update.result(), self.patience_s)

    async def do_update_with_start(self, step, _):
        workflow_type, options = self.start_options(step)
        return await self.client.execute_update_with_start_workflow(
            step["name"],
            args=step.get("args", []),
            id=step.get("update_id"),
            start_workflow_operation=WithStartWorkflowOperation(workflow_type, **options),
        )

    async def do_cancel(self, _, handle):
        return await handle.cancel()

    async def do_terminate(self, step, handle):
        return await handle.terminate(step.get("reason", "asked"))

    async def do_result(self, step, handle):
        result = handle.result(follow_runs=step.get("follow", True))
        return await asyncio.wait_for(result, self.patience_s)

    async def do_describe(self, _, handle):
        description = await handle.describe()
        return {
            "status": description.status.name,
            "type": description.workflow_type,
            "memo": await description.memo(),
            "parent": description.parent_id,
        }

    async def do_history(self, _, handle):
        lines = []
        async for event in handle.fetch_history_events():
            kind = event.WhichOneof("attributes")
            name = "".join(part.title() for part in kind.removesuffix("_event_attributes").split("_"))
            if name not in SKIP:
                shown = [name]
                shown += [text for path in SHOW if (text := text_at(getattr(event, kind), path))]
                lines.append(" ".join(shown))
        return lines

    async def do_wait_log(self, step, handle):
        async def seen():
            # A query is the only way to see the log of a running workflow.
            while step["text"] not in await handle.query("log"):
                await asyncio.sleep(0.025)

        await asyncio.wait_for(seen(), self.patience_s)
        return "seen"


def text_at(message, path):
    """The text at a path of fields; None where there is none."""
    for part in path.split("."):
        if not isinstance(message, Message) or part not in message.DESCRIPTOR.fields_by_name:
            return None
        message = getattr(message, part)
    return message if isinstance(message, str) and message else None


async def observe(client, path, patience_s):
    """A case, and what its client sees: a value for each step."""
    case = json.loads(path.read_text())
    player = Player(client, uuid.uuid4().hex[:8], patience_s)
    seen = []
    for step in case["client"]:
        try:
            seen.append(player.plain(await player.play(player.real(step))))
        except Exception as error:
            seen.append(player.plain(failure(error)))
    return case, seen


async def record(client, path, patience_s):
    _, seen = await observe(client, path, patience_s)
    path.with_suffix(".golden").write_text("".join(json.dumps(value) + "\n" for value in seen))
    print(f"{path.stem}: recorded")
    return True


async def check(client, path, patience_s):
    try:
        case, seen = await asyncio.wait_for(observe(client, path, patience_s), CASE_S + patience_s)
    except asyncio.TimeoutError:
        print(f"{path.stem}: no end within {CASE_S + patience_s} s")
        return False
    golden = path.with_suffix(".golden").read_text().splitlines()
    want = [json.loads(line) for line in golden]
    differences = [
        f"{path.stem}: step {index} {json.dumps(step)[:160]}\n  want {json.dumps(w)}\n  have {json.dumps(h)}"
        for index, (step, w, h) in enumerate(zip(case["client"], want, seen, strict=True))
        if not same(w, h)
    ]
    print("\n".join(differences) or f"{path.stem}: ok")
    return not differences


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("mode", choices=["record", "check"])
    parser.add_argument("cases", nargs="+", type=pathlib.Path)
    parser.add_argument("--patience-s", type=float, default=30)
    arguments = parser.parse_args()
    # The start half of a refused update-with-start has nobody who awaits it.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    client = await Client.connect(arguments.address)
    play = {"record": record, "check": check}[arguments.mode]
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(path):
        async with turn:
            return await play(client, path, arguments.patience_s)

    good = await asyncio.gather(*[one(path) for path in arguments.cases])
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    try:
        asyncio.run(main())
        code = 0
    except SystemExit as end:
        code = end.code
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(code)
