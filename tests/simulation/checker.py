"""The checker: knows the definitions, the effects and the records, and nothing of the engine."""

from collections.abc import Callable, Iterator

from tests.simulation import rules_effects, rules_occurrences, rules_records
from tests.simulation.facts import Facts
from tests.simulation.simulation import Outcome
from tests.simulation.violations import Violation

Rule = Callable[[Facts], Iterator[Violation]]
RULES: tuple[Rule, ...] = (
    rules_occurrences.none_is_lost,
    rules_occurrences.effects_are_wanted,
    rules_occurrences.closed_days_rest,
    rules_occurrences.one_run_each,
    rules_occurrences.deadlines_are_kept,
    rules_occurrences.skips_have_a_cause,
    rules_occurrences.misfires_follow_the_rule,
    rules_effects.never_early,
    rules_effects.once,
    rules_effects.limits_are_kept,
    rules_effects.gates_are_kept,
    rules_effects.executions_are_counted,
    rules_effects.never_beside_itself,
    rules_effects.cancelled_stay_so,
    rules_effects.on_time,
    rules_records.final_is_final,
    rules_records.transitions_are_drawn,
    rules_records.starts_are_used,
    rules_records.attempts_are_numbered,
    rules_records.lost_workers_were_lost,
    rules_records.all_is_done,
    rules_records.triggers_run,
    rules_records.callbacks_count,
    rules_records.followed_work_is_what_became_of_it,
    rules_records.requests_count_once,
    rules_records.answers_hold,
    rules_records.nothing_surprises,
    rules_records.slots_are_free,
    rules_records.timers_live_and_die,
)


def check(outcome: Outcome) -> list[Violation]:
    """All that is wrong with what happened."""
    facts = Facts(outcome)
    return [violation for rule in RULES for violation in rule(facts)]
