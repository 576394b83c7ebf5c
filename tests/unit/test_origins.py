"""The setting that names the origins of pages: exactly, or it is refused."""

import pytest

from chalicelib.config import BadSettings, load
from chalicelib.domain.lanes import LANES

REST = {
    **{f"CHRONOS_{name}_TABLE": f"chronos-{name}" for name in ("CATALOG", "TIMERS", "RUNS", "AUDIT")},
    "CHRONOS_QUEUES": ",".join(f"{lane}=https://sqs.test/{lane}" for lane in LANES),
    "CHRONOS_OUTPUTS_BUCKET": "chronos-outputs",
}


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("https://app.example.com", ("https://app.example.com",)),
        (
            "https://a.example, http://localhost:3000,",
            ("https://a.example", "http://localhost:3000"),
        ),
    ],
)
def test_origins_are_a_list_with_commas(value: str, origins: tuple[str, ...]) -> None:
    assert load({**REST, "CHRONOS_CORS_ORIGINS": value}).cors_origins == origins


@pytest.mark.parametrize(
    "value",
    ["*", "https://*.example.com", "app.example.com", "https://a.example/", "https://A.example", "null"],
)
def test_what_no_browser_would_send_is_refused(value: str) -> None:
    with pytest.raises(BadSettings, match=r"CHRONOS_CORS_ORIGINS.*no origin"):
        load({**REST, "CHRONOS_CORS_ORIGINS": value})
