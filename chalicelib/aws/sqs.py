"""A lane on SQS."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from chalicelib.aws.backoff import tries
from chalicelib.aws.faults import PASSING, refusal, translated
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.fan import Fan
from chalicelib.ports.queue import Outgoing

BATCH = 10


class SqsQueue:
    """Sends in batches of ten, several at once as `fan` allows."""

    def __init__(self, client: Any, url: str, fan: Fan, sleep: Callable[[float], None]) -> None:
        self._client, self._url, self._fan, self._sleep = client, url, fan, sleep

    def send(self, messages: Sequence[Outgoing]) -> None:
        rest = iter(messages)
        batches = iter(lambda: list(islice(rest, BATCH)), [])
        self._fan(self._send_batch, batches)

    def _send_batch(self, batch: Sequence[Outgoing]) -> None:
        entries = [_entry(number, message) for number, message in enumerate(batch)]
        for _ in tries(self._sleep):
            with translated("SQS"):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            sent = {entry["Id"] for entry in answer.get("Successful", ())}
            entries = [entry for entry in entries if entry["Id"] not in sent]
            if not entries:
                return
            for failed in answer.get("Failed", ()):
                _stop_if_for_good(failed)
        raise Unavailable(f"SQS refused {len(entries)} of {len(batch)} messages again and again.")


def _entry(number: int, message: Outgoing) -> dict[str, Any]:
    entry = {"Id": str(number), "MessageBody": message.body, "DelaySeconds": message.delay_seconds}
    return {**entry, "MessageGroupId": message.group} if message.group else entry


def _stop_if_for_good(failed: Mapping[str, Any]) -> None:
    """Refused if sending this entry again is of no use."""
    code = str(failed.get("Code", ""))
    if failed.get("SenderFault") and code not in PASSING:
        raise refusal("SQS", [code], str(failed.get("Message", "")))
