"""The other side of jobs that wait for a callback: it calls back soon or late, well or badly, or never."""

from typing import Any

from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.features.callbacks import service as callbacks
from tests.simulation.users import User
from tests.simulation.world import World

VERDICTS = {"succeeded": Succeeded({}), "failed": Failed("callback_failed", "By chance."), "silent": None}


class Server:
    """Whoever has accepted the work of runs. Each attempt has a caller of its own, who insists until it is answered.

    One `in_haste` lets nobody wait long: where few may be under way at once, the day would be too short.
    """

    def __init__(self, world: World, end_ms: float, *, in_haste: bool) -> None:
        self._world, self._kernel, self._end_ms = world, world.kernel, end_ms
        self._weights = (0.8, 0.2, 0) if in_haste else (0.7, 0.15, 0.15)
        self._seconds = (0, 0.05, 1, 5) if in_haste else (0, 0.05, 1, 20, 90, 400)

    def accept(self, run: Run, token: str) -> None:
        """Work that is to be called back for."""
        self._kernel.begin("server", lambda _process: self._work(run, token))

    def _work(self, run: Run, token: str) -> None:
        random = self._kernel.random
        verdict = random.choices(tuple(VERDICTS), self._weights)[0]
        seconds: float = random.choice(self._seconds)
        user = User(self._world, 0, self._end_ms)
        user.job = run.job_id
        while seconds > 60 or verdict == "silent":
            self._kernel.sleep(min(seconds, random.uniform(20, 50)) * 1000)
            if not self._is_heard(user, run, token) or seconds <= 0:
                return
            seconds -= 60
        self._kernel.sleep(seconds * 1000)
        self._tell(user, run, token, verdict)
        if random.random() < 0.2:
            self._tell(user, run, token, random.choice(["succeeded", "failed"]))

    def _is_heard(self, user: User, run: Run, token: str) -> bool:
        heard = user.ask("alive", lambda engine: callbacks.alive(engine, token), run=run.id)
        return isinstance(heard, Run)

    def _tell(self, user: User, run: Run, token: str, verdict: str) -> None:
        outcome = VERDICTS[verdict]
        assert outcome is not None

        def act(engine: Engine) -> Any:
            return callbacks.end(engine, token, outcome)

        user.ask("callback", act, run=run.id, attempt=run.attempt, verdict=verdict)
