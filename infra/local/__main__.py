"""python -m infra.local run --port N | reload"""

import argparse
import sys

from infra.errors import Stop
from infra.local import process, run


def main() -> int:
    """Run one command; a Stop is a sentence on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="infra.local", description=__doc__)
    parser.add_argument("command", choices=["run", "reload"])
    parser.add_argument("--port", type=process.port_of, default=8000)
    try:
        options = parser.parse_args()
        run.run(options.port) if options.command == "run" else run.reload()
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
