"""What every job type promises. A new one is held to it on arrival; it only has to name its samples."""

import ast
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import chalicelib.executors as package
from chalicelib.domain.lanes import LANES
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.retry import ErrorKind, RetryPolicy
from chalicelib.executors import registry
from chalicelib.executors.base import ExecutorSettings, ExecutorSpec
from tests.contract.executors.samples import SAMPLES, Sample
from tests.support.calls import LOOPBACK, call_of, perform

TOLERANCE_SECONDS = 3  # of a busy machine; the samples would go on far longer
MAX_MESSAGE = 500
every_type = pytest.mark.parametrize("type_", registry.types())


@pytest.fixture
def spec(type_: str) -> ExecutorSpec:
    found = registry.spec(type_)
    assert found is not None
    return found


@pytest.fixture
def sample(type_: str) -> Iterator[Sample]:
    assert type_ in SAMPLES, f"add the configs of {type_!r} to tests/contract/executors/samples.py"
    with SAMPLES[type_]() as found:
        yield found


@every_type
def test_it_is_called_what_its_folder_is_called(type_: str, spec: ExecutorSpec) -> None:
    assert spec.type == type_


@every_type
def test_it_tells_what_it_is_and_where_it_runs(spec: ExecutorSpec) -> None:
    assert spec.title
    assert spec.description.endswith(".")
    assert registry.lane(spec.type) in LANES


@every_type
def test_its_config_has_a_json_schema_that_closes_it(spec: ExecutorSpec) -> None:
    schema = spec.config.model_json_schema()
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


@every_type
def test_its_example_is_valid_and_survives_storage(spec: ExecutorSpec) -> None:
    config = spec.config.model_validate(spec.example)
    assert spec.config.model_validate_json(config.model_dump_json()) == config
    assert spec.config.model_validate(json.loads(json.dumps(spec.example))) == config


@every_type
def test_an_unknown_field_is_refused(spec: ExecutorSpec) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        spec.config.model_validate(spec.example | {"no_such_field": 1})


@every_type
@pytest.mark.parametrize(
    "config",
    [None, [], "text", 5, {"": ""}, {"\ud800": 1}, [[[[]]]]],
    ids=lambda config: type(config).__name__,
)
def test_what_is_no_config_is_refused_and_raises_nothing_else(spec: ExecutorSpec, config: Any) -> None:
    with pytest.raises(ValidationError):
        spec.config.model_validate(config)


@every_type
@pytest.mark.parametrize(
    "value", [None, -1, 1e308, 10**400, "x" * 100_000, [], {}, [[]], "\ud800", "\x00", True, "١"]
)
def test_no_value_of_any_field_raises_anything_but_a_validation_error(spec: ExecutorSpec, value: Any) -> None:
    for field in spec.config.model_fields:
        with suppress(ValidationError):
            spec.config.model_validate(spec.example | {field: value})


@every_type
def test_a_success_is_small_json(type_: str, sample: Sample) -> None:
    for config in (sample.quick, sample.large):
        outcome = perform(call_of(type_, config, **sample.means), type_)
        assert isinstance(outcome, Succeeded), outcome
        assert _size(outcome.result) < 2 * LOOPBACK.max_result_bytes + 4096


@every_type
def test_a_failure_has_a_kind_that_policies_know_and_a_short_message(type_: str, sample: Sample) -> None:
    outcome = perform(call_of(type_, sample.failing, **sample.means), type_)
    assert isinstance(outcome, Failed), outcome
    assert RetryPolicy.model_validate({"retry_on": [outcome.kind]})
    spec = registry.spec(type_)
    assert spec is not None
    assert outcome.kind in spec.every_error(), "name it in the spec's `errors`"
    assert 0 < len(outcome.message) <= MAX_MESSAGE
    assert _size(outcome.result) < 2 * LOOPBACK.max_result_bytes + 4096


AMBIGUOUS = {"cache", "condition", "file", "grpc", "output", "template"}
"""Kinds that are common words too."""


@every_type
def test_it_names_every_kind_of_failure_that_its_code_knows(type_: str, spec: ExecutorSpec) -> None:
    for folder in package.__path__:
        for path in Path(folder, type_).rglob("*.py"):
            words = {
                node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
            }
            known = words & set(get_args(ErrorKind)) - AMBIGUOUS
            assert sorted(known - set(spec.every_error())) == [], (
                f"{path.name}: name it in the spec's `errors`"
            )


def _size(result: dict[str, Any] | None) -> int:
    return len(json.dumps(result, ensure_ascii=False, allow_nan=False).encode())


@every_type
@pytest.mark.parametrize("seconds", [0.4, 0, -5])
def test_the_deadline_is_kept(type_: str, sample: Sample, seconds: float) -> None:
    call = call_of(type_, sample.endless, seconds=seconds, **sample.means)
    outcome = perform(call, type_)
    assert time.monotonic() - max(call.deadline, call.deadline - seconds) < TOLERANCE_SECONDS
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "timeout"


@every_type
def test_the_same_call_again_ends_the_same_way(type_: str, sample: Sample) -> None:
    call = call_of(type_, sample.quick, **sample.means)
    assert [type(perform(call, type_)) for _ in range(3)] == [Succeeded] * 3


@every_type
@pytest.mark.parametrize(
    "settings", [ExecutorSettings(allow_networks=("nonsense",)), replace(LOOPBACK, ca_file="/no/such/file")]
)
def test_no_exception_leaves_it_even_if_the_settings_are_wrong(
    type_: str, sample: Sample, settings: ExecutorSettings
) -> None:
    call = call_of(type_, sample.quick, settings=settings, **sample.means)
    assert isinstance(perform(call, type_), Succeeded | Failed)


@every_type
def test_no_exception_leaves_it_even_if_the_call_is_nonsense(type_: str, sample: Sample) -> None:
    call = replace(call_of(type_, sample.quick, **sample.means), config=None)
    outcome = perform(call, type_)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "unknown"
