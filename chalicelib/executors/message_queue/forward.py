"""From one queue to another, within bounds. A message is confirmed to the first once the second has confirmed it."""

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.message_queue.clients.base import Sink, Site, Source
from chalicelib.executors.message_queue.refusals import may_pass, summary
from chalicelib.executors.message_queue.spec import Forward

_BATCH = 50


async def forward(site: Site, source: Source, sink: Sink, operation: Forward) -> Outcome:
    """Until enough was forwarded, the time is over, or nothing comes any more."""
    clock, done = site.call.clock, 0
    until = clock.monotonic() + operation.max_seconds
    while (left := until - clock.monotonic()) > 0 and done < operation.max_messages:
        wanted = min(_BATCH, operation.max_messages - done)
        batch = await source.receive(wanted, min(operation.idle_seconds, left))
        if not batch:
            break
        refusals = await sink.publish([one.message for one in batch])
        refused = {refusal.index for refusal in refusals}
        await source.settle(
            [one for index, one in enumerate(batch) if index not in refused],
            [batch[index] for index in sorted(refused)],
        )
        done += len(batch) - len(refused)
        site.call.progress(100 * done / operation.max_messages, f"{done} messages forwarded")
        if refusals:
            site.call.log.error("Messages were refused", refused=len(refusals), forwarded=done)
            message = summary(len(batch), refusals)
            result = {"forwarded": done}
            return Failed(sink.refusal_kind, message, result=result, retryable=may_pass(refusals))
    ended = "max_messages" if done >= operation.max_messages else "max_seconds" if left <= 0 else "empty"
    site.call.log.info("Messages were forwarded", forwarded=done, ended=ended)
    return Succeeded({"forwarded": done, "ended": ended})
