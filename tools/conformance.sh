#!/usr/bin/env bash
# Runs the conformance suite of the Model Context Protocol against `agent-dispatch serve`, over stdio through a bridge, for
# both protocol eras. Fails unless every scenario passes that the suite scores. Those that it runs without scoring them may
# fail: the extension for tasks, which this server does not offer, and headers for single arguments, which are HTTP's.
#
#   tools/conformance.sh [SCENARIO]        one scenario only, in each era that has it
#
# Exits 77 where the suite cannot be had (npm cannot be reached).
set -euo pipefail
cd "$(dirname "$0")/.."

command -v python3 >/dev/null || { echo "conformance: python3 is missing" >&2; exit 77; }
peers=$(tools/install_node_peers.sh)

# Named tools, prompts and resources that the suite calls are in this build only.
cargo build --locked --quiet --features conformance --bin agent-dispatch
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ad-XXXXXX")
cp target/debug/agent-dispatch "$scratch/agent-dispatch"
printf 'agents:\n  worker: {directory: %s, description: an agent}\n' "$scratch" >"$scratch/agents.yaml"

export HOME=$scratch AGENT_DISPATCH_CONFIG=$scratch/agents.yaml AGENT_DISPATCH_STATE_DIR=$scratch/state
unset XDG_RUNTIME_DIR
bridge=
cleanup() {
    if [ -n "$bridge" ]; then kill "$bridge" 2>/dev/null || true; fi
    "$scratch/agent-dispatch" daemon stop >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap cleanup EXIT

python3 tools/conformance_bridge.py "$scratch/port" -- "$scratch/agent-dispatch" serve 2>"$scratch/log" &
bridge=$!
for _ in $(seq 100); do
    [ -f "$scratch/port" ] && break
    sleep 0.1
done
url=http://localhost:$(cat "$scratch/port")/mcp

suite=$peers/node_modules/@modelcontextprotocol/conformance/dist/index.js
for revision in 2025-11-25 2026-07-28; do
    what=(--requirements "$revision")
    [ $# = 0 ] || what=(--scenario "$1" --spec-version "$revision")
    if ! "$peers/bin/node" "$suite" server --url "$url" "${what[@]}" -o "$scratch/results" >"$scratch/report" 2>&1; then
        cat "$scratch/report"
        cat "$scratch/log"
        echo "conformance: $revision is not met" >&2
        exit 1
    fi
    echo "$revision: everything that is scored passes. $(grep '^Not scored' "$scratch/report" || true)"
done
