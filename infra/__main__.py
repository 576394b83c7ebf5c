"""The deployment commands behind the Makefile: python -m infra package|check|config|deploy|destroy."""

import argparse
import sys

from infra.errors import Stop


def main() -> int:
    """Run one command; a Stop is a sentence on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="infra", description=__doc__)
    parser.add_argument("command", choices=["package", "check", "config", "deploy", "destroy"])
    parser.add_argument("--new-key", action="store_true", help="replace the stage's API key")
    parser.add_argument("--stage", default="dev")
    options = parser.parse_args()
    try:
        _run(options.command, options.stage, options.new_key)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    return 0


def _run(command: str, stage: str, new_key: bool) -> None:
    from infra import checks, deploy, package

    match command:
        case "package":
            package.main(stage)
        case "check":
            checks.main()
        case "config":
            deploy.configure(stage)
        case "deploy":
            deploy.deploy(stage, new_key=new_key)
        case "destroy":
            deploy.destroy(stage)


if __name__ == "__main__":
    sys.exit(main())
