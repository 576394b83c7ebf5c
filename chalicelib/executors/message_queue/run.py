"""Carries out `message_queue` jobs: opens the queue's client, does the one thing, and says how it went."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.guarded_loop import run_within
from chalicelib.executors.message_queue import clients
from chalicelib.executors.message_queue.clients.base import Measurable, Purgeable, Sink, Site
from chalicelib.executors.message_queue.forward import forward
from chalicelib.executors.message_queue.messages import Outgoing
from chalicelib.executors.message_queue.queues.base import Action
from chalicelib.executors.message_queue.refusals import published
from chalicelib.executors.message_queue.spec import Config, Depth, Forward, Publish
from chalicelib.executors.tls import UnusableTLS
from chalicelib.executors.trouble import Trouble
from chalicelib.ports.cloud import CloudError


def execute(call: Call) -> Outcome:
    """Publish, forward, purge or measure, as the config says."""
    config: Config = call.config
    try:
        return run_within(call, lambda loop: _performed(config, Site(call, loop)))
    except Trouble as trouble:
        return trouble.failed
    except ForbiddenTarget as error:
        return Failed("forbidden_target", str(error))
    except TimeoutError:
        return Failed(
            "timeout", f"The exchange with {config.queue.target} was not over when the time was up."
        )
    except UnusableTLS as error:
        return Failed("connection", str(error), retryable=False)
    except CloudError as error:
        return Failed("cloud", error.message, status=error.status, retryable=error.retryable)
    except Unavailable as error:
        return Failed("cloud", error.message)


async def _performed(config: Config, site: Site) -> Outcome:
    operation = config.operation
    async with _opened(config.queue, site, operation.action) as client:
        if isinstance(operation, Publish):
            return await _sent(client, _outgoing(operation, site.call.run_id))
        if isinstance(operation, Forward):
            async with _opened(operation.to, site, "publish") as sink:
                return await forward(site, client, sink, operation)
        if isinstance(operation, Depth):
            return await _measured(client, operation)
        return await _purged(client, config.queue.place)


def _opened(queue: Any, site: Site, action: Action) -> AbstractAsyncContextManager[Any]:
    """The client that the kind has for this action."""
    module = "aws" if queue.kind in ("sqs", "sns", "eventbridge") else queue.kind
    opened: AbstractAsyncContextManager[Any]
    opened = import_module(f"{clients.__name__}.{module}").opened(queue, site, action)
    return opened


def _outgoing(operation: Publish, run_id: str) -> Sequence[Outgoing]:
    """Each message with an id that every attempt of the run gives it again."""
    single = len(operation.messages) == 1
    return [
        Outgoing(
            id=message.id or (run_id if single else f"{run_id}.{index}"),
            body=message.content(),
            key=message.key,
            headers=dict(message.headers),
            content_type=message.media_type,
        )
        for index, message in enumerate(operation.messages)
    ]


async def _sent(sink: Sink, messages: Sequence[Outgoing]) -> Outcome:
    return published(len(messages), await sink.publish(messages), sink.refusal_kind)


async def _purged(queue: Purgeable, place: str) -> Outcome:
    dropped = await queue.purge()
    return Succeeded({"purged": place} | ({} if dropped is None else {"messages": dropped}))


async def _measured(queue: Measurable, operation: Depth) -> Outcome:
    depth = await queue.depth()
    result = {"depth": depth}
    if operation.fail_above is not None and depth > operation.fail_above:
        return Failed("condition", f"{depth} messages wait, more than {operation.fail_above}.", result=result)
    if operation.fail_below is not None and depth < operation.fail_below:
        return Failed(
            "condition", f"{depth} messages wait, fewer than {operation.fail_below}.", result=result
        )
    return Succeeded(result)
