#!/usr/bin/env bash
# Runs every test. The real Claude Code CLI and three MCP clients written in Python are installed into target/ first: the
# former for the tests that drive it against a mock of the Messages API on 127.0.0.1. Where npm or pip cannot deliver them,
# the tests that need them say so and pass.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo >/dev/null || { echo "error: cargo is missing; install Rust 1.89 or newer (rustup), then run this again" >&2; exit 1; }
command -v cc >/dev/null || { echo "error: a C linker (cc) is missing; install gcc or clang, then run this again" >&2; exit 1; }

tools/install_claude.sh >/dev/null || echo "note: the tests that need the real Claude Code CLI will be skipped" >&2
tools/install_python_clients.sh >/dev/null || echo "note: the tests that need the Python clients will be skipped" >&2
exec cargo test --locked "$@"
