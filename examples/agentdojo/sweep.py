"""How many hijacked runs do your policies stop? Every user task of a suite against every injection of it.

python examples/agentdojo/sweep.py                          the four suites under the demo's policies
python examples/agentdojo/sweep.py banking my-policies.yaml one suite under yours
"""

import sys

from clearance import Client
from clearance.cli.demo.stage import SUITES, Stage, policy_file
from clearance.cli.demo.sweep import sweep


def main(suites: list[str], policies: str = "") -> None:
    print(f"{'suite':<11}{'pairs':>6}{'attack works':>14}{'stopped':>9}   {'user served':>13}   went through")
    for suite in suites:
        with Client("memory", policies=[policies or policy_file(suite)]) as client:
            found = sweep(Stage(suite), client)
        served = f"{found.useful_before} -> {found.useful_after}"
        through = ", ".join(f"{name} x{count}" for name, count in found.missed.most_common()) or "nothing"
        print(f"{suite:<11}{found.pairs:>6}{found.succeed:>14}{found.stopped:>9}   {served:>13}   {through}")


if __name__ == "__main__":
    main([sys.argv[1]] if sys.argv[1:] else list(SUITES), *sys.argv[2:3])
