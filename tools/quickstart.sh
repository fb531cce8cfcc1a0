#!/usr/bin/env bash
# Builds the program and runs one real dispatch with it: worker, daemon and store, the same question a second time from
# the cache, and the audit record of both, verified. Nothing outside this checkout and a temporary folder is touched.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo >/dev/null || { echo "error: cargo is missing; install Rust 1.89 or newer (rustup), then run this again" >&2; exit 1; }
command -v cc >/dev/null || { echo "error: a C linker (cc) is missing; install gcc or clang, then run this again" >&2; exit 1; }

echo "Building (a few minutes the first time) ..."
cargo build --locked --release --quiet --bin agent-dispatch
program=$PWD/target/release/agent-dispatch

scratch=$(mktemp -d "${TMPDIR:-/tmp}/ad-XXXXXX")
export AGENT_DISPATCH_CONFIG=$scratch/agents.yaml AGENT_DISPATCH_STATE_DIR=$scratch/state
# A socket path is limited to 107 bytes: the temporary folder is short, a runtime directory may not exist.
unset XDG_RUNTIME_DIR
cleanup() { "$program" daemon stop >/dev/null 2>&1 || true; rm -rf "$scratch"; }
trap cleanup EXIT

if command -v claude >/dev/null; then
  echo "Using $(command -v claude): the first dispatch is a real one, capped at 0.50 USD."
else
  cargo build --locked --release --quiet --features tools --bin fake-claude
  mkdir "$scratch/bin"
  ln -s "$PWD/target/release/fake-claude" "$scratch/bin/claude"
  PATH=$scratch/bin:$PATH
  echo "There is no \`claude\` on the PATH: a scripted stand-in (tools/fake_claude.rs) answers in its place."
fi

say() { printf '\n$ agent-dispatch %s\n' "$*"; "$program" "$@"; }
say add demo "$PWD" --description "this project" --max-budget 0.50 --timeout 120
say list
say dispatch demo "In one sentence: what is this project?"
say dispatch demo "In one sentence: what is this project?"
say audit
say audit verify
printf '\nThe program is %s\n' "$program"
