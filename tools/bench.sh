#!/usr/bin/env bash
# Builds the release programs and measures them: a table of medians, 99th percentiles, targets, and the floors of this
# machine. Everything happens in a temporary folder. For figures that mean something, leave the machine alone meanwhile.
#
#   tools/bench.sh [--rounds N]          all but long audit trails
#   tools/bench.sh --trail 1000000       an audit trail of so many records
set -euo pipefail
cd "$(dirname "$0")/.."

exec cargo bench --locked --bench bench -- "$@"
