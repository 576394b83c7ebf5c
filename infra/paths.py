"""Where things lie. Everything generated is under .chronos, except what Chalice insists on."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"
CHRONOS = ROOT / ".chronos"
PACKAGE = CHRONOS / "package"
BUILD = CHRONOS / "build"
STAGES = CHRONOS / "stages"
