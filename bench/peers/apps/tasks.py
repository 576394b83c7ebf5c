"""The same job that does nothing, for each of the peers: imported by their workers, in their own virtualenv.

The environment names the peer (PEERS_NAME) and the broker (PEERS_REDIS).
"""

import os
from collections.abc import Callable
from typing import Any

URL = os.environ["PEERS_REDIS"]
app: Any = None


def noop() -> None:
    pass


def celery() -> Callable[[], object]:
    from celery import Celery

    globals()["app"] = made = Celery("peers", broker=URL)
    made.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
    return made.task(noop, name="noop").delay  # type: ignore[no-any-return]


def dramatiq() -> Callable[[], object]:
    import dramatiq as library
    from dramatiq.brokers.redis import RedisBroker

    library.set_broker(RedisBroker(url=URL))
    return library.actor(noop).send  # type: ignore[no-any-return]


def huey() -> Callable[[], object]:
    from huey import RedisHuey

    globals()["app"] = made = RedisHuey("peers", url=URL, results=False)
    return made.task()(noop)  # type: ignore[no-any-return]


enqueue = {"celery": celery, "dramatiq": dramatiq, "huey": huey}[os.environ["PEERS_NAME"]]()
