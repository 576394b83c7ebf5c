"""`make simulate`: many seeds, or one that failed before. `python -m tests.simulation --help` tells the options."""

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from time import monotonic

from tests.simulation.report import Result, coverage, run_seed


def main() -> int:
    """0 if no rule was broken."""
    options = _options()
    seeds = (
        [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    )
    started = monotonic()
    results = list(_results(list(seeds), options))
    total: Counter[str] = sum((result.counts for result in results), Counter())
    struck: Counter[tuple[str, str]] = sum((result.struck for result in results), Counter())
    failed = [result.seed for result in results if result.problem]
    for line in coverage(struck):
        sys.stdout.write(f"  {line}\n")
    sys.stdout.write(
        f"{len(results)} seeds x {options.hours:g} h x {options.jobs} jobs in {monotonic() - started:.0f} s: "
        + ", ".join(f"{number} {name}" for name, number in sorted(total.items()))
        + f"; {len(failed)} seeds failed{': ' if failed else ''}{', '.join(map(str, failed))}\n"
    )
    return 1 if failed else 0


def _results(seeds: list[int], options: argparse.Namespace) -> list[Result]:
    results = []
    more = [[value] * len(seeds) for value in (options.hours, options.jobs, options.storm)]
    with ProcessPoolExecutor(min(len(seeds), cpu_count() or 1)) as pool:
        for result in pool.map(run_seed, seeds, *more):
            results.append(result)
            if result.problem:
                sys.stdout.write(f"{result.problem}\n")
            if options.seed is not None:
                sys.stdout.write(f"history {result.digest}\n")
            sys.stdout.flush()
    return results


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make simulate", description="Simulate days of Chronos under faults."
    )
    parser.add_argument("--seeds", type=int, default=20, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--hours", type=float, default=24, help="virtual time with faults")
    parser.add_argument("--jobs", type=int, default=30)
    parser.add_argument("--storm", type=float, default=1, help="multiplies the faults")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
