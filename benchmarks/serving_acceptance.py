"""What the service promises, measured: fourteen rows. Linux only.

    python -m benchmarks.serving_acceptance [--rows 1 3 6] [--device cpu] [--quick]

Compared things are measured in turn, and a row gives the median with the range. The column
"others" says how many cores other programs used while the row ran, its start and end included; a
row with more than 0.1 is marked as disturbed, and its figures are worth little. Row 5 measures the
peers that ``python -m benchmarks.serving_peers --install`` has installed, and their own table goes
to standard error. ``--quick`` only tries whether everything works.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Final

from benchmarks.acceptance import (
    change_rows,
    latency_rows,
    memory_rows,
    speed_rows,
    start_rows,
)
from benchmarks.acceptance.verdict import Effort, Row, Verdict
from benchmarks.machine import describe_machine
from benchmarks.processor_time import DISTURBED, Others
from sfumato.errors import SfumatoError

ROWS: Final[Mapping[int, Row]] = {
    1: speed_rows.real_network,
    2: speed_rows.five_milliseconds,
    3: speed_rows.two_milliseconds,
    4: speed_rows.processor_cost,
    5: speed_rows.peers,
    6: latency_rows.health_while_decoding,
    7: latency_rows.fresh_after_expired,
    8: start_rows.foreign_clients,
    9: change_rows.reloads,
    10: change_rows.server_stops,
    11: memory_rows.random_shapes,
    12: latency_rows.full_queue,
    13: start_rows.missing_gpu,
    14: memory_rows.idle,
}
_LONGEST_REASON: Final = 300
_WORDS: Final = {True: "pass", False: "FAIL", None: "not measured"}


def measure_row(number: int, effort: Effort) -> list[str]:
    """Measures a row; gives its lines of the table."""
    others = Others()
    try:
        verdicts = list(ROWS[number](effort))
    except (SfumatoError, OSError) as error:
        reason = " ".join(str(error).replace("|", " ").split())[-_LONGEST_REASON:]
        verdicts = [Verdict(str(ROWS[number].__doc__), "", reason, False)]
    cores = others.cores()
    disturbed = ", disturbed" if cores > DISTURBED else ""
    return [
        f"| {number} | {verdict.measure} | {verdict.target} | {verdict.measured} "
        f"| {_WORDS[verdict.passed]}{disturbed} | {cores:.2f} |"
        for verdict in verdicts
    ]


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--pairs", type=int, default=Effort.pairs, help="measurements of each")
    parser.add_argument("--seconds", type=float, default=Effort.seconds, help="of a measurement")
    parser.add_argument("--quick", action="store_true", help="little of everything")
    return parser.parse_args()


def main() -> int:
    """Prints the table; gives 0 if no row failed."""
    options = parse_arguments()
    effort = Effort(options.device, options.pairs, options.seconds)
    if options.quick:
        effort = Effort(options.device, pairs=1, seconds=1.0, repetitions=0.03)
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "grpcio", "simplejpeg"))
    print("\n| # | measure | target | measured | verdict | others |")
    print("| ---: | --- | --- | --- | --- | ---: |", flush=True)
    lines: list[str] = []
    for number in options.rows:
        lines += (found := measure_row(number, effort))
        print("\n".join(found), flush=True)
    return 1 if any("| FAIL" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
