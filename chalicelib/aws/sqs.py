"""A lane on SQS."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from chalicelib.aws.fan import Fan
from chalicelib.aws.faults import translated
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.queue import Outgoing

BATCH = 10
TRIES = 4
"""How often refused entries of a batch are sent again; the SDK already retries whole calls."""


class SqsQueue:
    """Sends in batches of ten, several at once as `fan` allows."""

    def __init__(self, client: Any, url: str, fan: Fan) -> None:
        self._client, self._url, self._fan = client, url, fan

    def send(self, messages: Sequence[Outgoing]) -> None:
        rest = iter(messages)
        batches = iter(lambda: list(islice(rest, BATCH)), [])
        self._fan(self._send_batch, batches)

    def _send_batch(self, batch: Sequence[Outgoing]) -> None:
        entries = [
            {"Id": str(number), "MessageBody": message.body, "DelaySeconds": message.delay_seconds}
            for number, message in enumerate(batch)
        ]
        for _ in range(TRIES):
            with translated("SQS"):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            refused = {entry["Id"] for entry in answer.get("Failed", ())}
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                return
        raise Unavailable(f"SQS refused {len(entries)} of {len(batch)} messages.")
