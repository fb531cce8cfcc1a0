#!/usr/bin/env bash
# Looks at `agent-dispatch serve` through the MCP inspector, in each way it can connect: schemas must be portable, and what
# is listed must be readable.
#
#   tools/inspector.sh [PROGRAM]        default: the debug build, made first
#
# Exits 77 where the inspector cannot be had (npm cannot be reached).
set -euo pipefail
cd "$(dirname "$0")/.."

peers=$(tools/install_node_peers.sh)
if [ $# = 0 ]; then
    cargo build --locked --quiet --bin agent-dispatch
    set -- "$PWD/target/debug/agent-dispatch"
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ad-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# The inspector keeps files in its user's home, and hands the server little more than that of its environment.
mkdir -p "$scratch/.config/agent-dispatch"
printf 'agents:\n  worker: {directory: %s, description: an agent}\n' "$scratch" \
    >"$scratch/.config/agent-dispatch/agents.yaml"

inspect() {
    env -i HOME="$scratch" PATH="$PATH" "$peers/bin/node" \
        "$peers/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js" --cli \
        --protocol-era "$era" "$program" serve --format json "$@" >"$scratch/out" 2>"$scratch/said"
}

# Runs the inspector; what it prints must contain the text.
check() {
    text=$1
    shift
    if ! inspect "$@" || ! grep -qF "$text" "$scratch/out"; then
        echo "inspector: $era: $* does not show $text" >&2
        tail -n 40 "$scratch/said" "$scratch/out" >&2
        exit 1
    fi
}

program=$1
for era in legacy auto modern; do
    check '"name":"dispatch"' --method tools/list --strict
    if grep -q '^Warning' "$scratch/said"; then
        cat "$scratch/said" >&2
        exit 1
    fi
    echo "$era: no schema is complained of"
    check '\"name\":\"worker\"' --method tools/call --tool-name list_agents
    check '"uri":"agent-dispatch://agents/worker"' --method resources/list
    check '"uriTemplate":"agent-dispatch://jobs/{id}"' --method resources/templates/list
    check '\"name\":\"worker\"' --method resources/read --uri agent-dispatch://agents/worker
    check '"name":"delegate"' --method prompts/list
    check '`agent` = `worker`' --method prompts/get --prompt-name delegate --prompt-args agent=worker
done
