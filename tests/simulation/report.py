"""What a person is told of a seed: the broken rules, the history of what they concern, and how to see it again."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.chaos import KINDS
from tests.simulation.checker import check
from tests.simulation.simulation import Outcome, Scenario, simulate
from tests.simulation.violations import Violation, moment

SHOWN = 3
LINES = 60


@dataclass(frozen=True)
class Result:
    """One seed: `problem` is the report of what went wrong, empty if nothing did."""

    seed: int
    digest: str
    problem: str
    rules: tuple[str, ...] = ()
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


def run_seed(seed: int, hours: float = 24, jobs: int = 30, storm: float = 1) -> Result:
    """Simulate and check."""
    return run(Scenario(seed, hours, jobs, storm))


def run(scenario: Scenario) -> Result:
    """Likewise, with all that a scenario may say."""
    outcome = simulate(scenario)
    violations = check(outcome)
    world, history = outcome.world, outcome.history
    counts = Counter(
        {
            "runs": len(history.changes),
            "effects": len(history.effects),
            "port calls": sum(world.weather.calls.values()),
        }
    )
    rules = tuple(sorted({violation.rule for violation in violations}))
    problem = told(outcome, violations) if violations else ""
    return Result(
        scenario.seed, history.digest(), problem, rules, world.weather.struck, world.weather.calls, counts
    )


def told(outcome: Outcome, violations: list[Violation]) -> str:
    """The violations of a seed, the first of each rule with the history of its subject."""
    scenario = outcome.scenario
    firsts = {violation.rule: violation for violation in reversed(violations)}
    lines = [f"SEED {scenario.seed}: {len(violations)} violations; " + _counted(violations)]
    for violation in list(firsts.values())[:SHOWN]:
        lines.append(f"* {violation.rule}: {violation.subject}: {violation.sentence}")
        lines += [f"    {line}" for line in timeline(outcome, violation)]
    replay = f"make simulate SEED={scenario.seed} HOURS={scenario.hours:g} JOBS={scenario.jobs}"
    replay += f" STORM={scenario.storm:g}" if scenario.storm != 1 else ""
    return "\n".join([*lines, f"Replay it: {replay}"])


def timeline(outcome: Outcome, violation: Violation) -> list[str]:
    """What happened to the job or run concerned, and to the processes that had it in hand."""
    wanted = {violation.subject, *re.findall(r"(?:run|job)_\w{26}", violation.sentence)}
    found = [
        f"{moment(at_ms)}  {subject[:4]}{subject[-6:]}  {words}"
        for at_ms, subject, words in outcome.history.lines
        if subject in wanted or any(name in words for name in wanted)
    ]
    mishaps = [f"{process} was killed at {moment(process.killed_ms)}" for process in _killed(outcome, found)]
    if len(found) > LINES:
        found = [*found[: LINES // 3], "...", *found[-2 * LINES // 3 :]]
    return [*found, *mishaps]


def _killed(outcome: Outcome, lines: list[str]) -> list[object]:
    text = "\n".join(lines)
    return [p for p in outcome.history.processes if p.killed_ms is not None and re.search(rf"\b{p}\b", text)]


def _counted(violations: list[Violation]) -> str:
    counted = Counter(violation.rule for violation in violations)
    return ", ".join(f"{number} {rule}" for rule, number in counted.most_common())


def coverage(struck: Counter[tuple[str, str]]) -> Iterator[str]:
    """How often each kind of fault struck, and where; then the races and the mishaps of messages and ticks."""
    for kind in KINDS:
        places = {name: number for (each, name), number in struck.items() if each == kind}
        if places:
            yield f"{kind:14} {sum(places.values()):7}  at " + ", ".join(
                f"{name} {number}" for name, number in sorted(places.items())
            )
    for (kind, name), number in sorted(struck.items()):
        if kind not in KINDS:
            yield f"{kind:14} {number:7}  {name}"
