"""The deployment commands behind the Makefile: python -m infra package|hashes|audit|check|config|deploy and so on."""

import argparse
import sys

from infra.errors import Stop


def main() -> int:
    """Run one command; a Stop is a sentence on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="infra", description=__doc__)
    parser.add_argument(
        "command",
        choices=[
            "package",
            "hashes",
            "audit",
            "check",
            "config",
            "deploy",
            "callbacks",
            "keys",
            "restore",
            "plan",
            "verify-audit",
            "destroy",
        ],
    )
    parser.add_argument(
        "--new-key", action="store_true", help="a new API key; callbacks, keys: a new signing key"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="deploy even if nothing has changed; callbacks, keys: forget former keys",
    )
    parser.add_argument("--stage", default="dev")
    parser.add_argument("--tenant", default="", help="plan: whose; verify-audit: whose trail")
    parser.add_argument("--plan", default="", help="plan: which the tenant is to have")
    parser.add_argument("--anchor", default="", help="verify-audit: what it has printed before")
    parser.add_argument("--disaster", default="", help="restore: when it happened, in RFC 3339")
    for table in ("catalog", "timers", "runs", "audit"):
        parser.add_argument(f"--{table}", default="", help="restore: the restored copy of this table")
    options = parser.parse_args()
    try:
        _run(options)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    from infra import audit, checks, package, wheels

    match options.command:
        case "package":
            package.main(options.stage)
        case "hashes":
            wheels.note()
        case "audit":
            audit.audit()
        case "check":
            checks.main()
        case _:
            _run_on_stage(options)


def _run_on_stage(options: argparse.Namespace) -> None:
    from infra import deploy, plan, restore, trail

    match options.command:
        case "config":
            deploy.configure(options.stage)
        case "deploy":
            deploy.deploy(options.stage, new_key=options.new_key, force=options.force)
        case "callbacks":
            deploy.provide_callbacks(options.stage, new_key=options.new_key, forget=options.force)
        case "keys":
            deploy.rotate_token_keys(options.stage, new_key=options.new_key, forget=options.force)
        case "restore":
            copies = {name: getattr(options, name) for name in restore.TABLES if getattr(options, name)}
            restore.restore(options.stage, options.disaster, copies)
        case "plan":
            plan.change(options.stage, options.tenant, options.plan)
        case "verify-audit":
            trail.verify(options.stage, options.tenant or deploy.FIRST_TENANT, options.anchor)
        case "destroy":
            deploy.destroy(options.stage)


if __name__ == "__main__":
    sys.exit(main())
