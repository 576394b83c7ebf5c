"""What the api's cold start leaves alone until it is asked for."""

import subprocess
import sys
from pathlib import Path

LATER = ("icalendar", "yaml", "dateutil.rrule", "chalicelib.features.calendars.ical", "cron_descriptor")


def test_the_app_starts_without_what_few_requests_need() -> None:
    program = f"import sys, app; print([name for name in {LATER!r} if name in sys.modules])"
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
