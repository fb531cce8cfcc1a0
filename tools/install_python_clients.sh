#!/bin/sh
# Puts three MCP clients written in Python into a folder, each in an environment of its own, and prints the folder: mcp1,
# mcp2 and fastmcp4, each with its bin/python.
#
#   tools/install_python_clients.sh [FOLDER]        default: target/python-clients
#
# Quick when they are there already. Whatever pip is configured with decides where they come from.
set -eu

folder=${1:-target/python-clients}

give_up() {
    echo "install_python_clients: $1" >&2
    exit 1
}

# Complete only when the file `ready` exists: it is made last, and says of which version.
install() {
    place=$folder/$1
    [ -f "$place/ready" ] && [ "$(cat "$place/ready")" = "$2" ] && [ -x "$place/bin/python" ] && return 0
    command -v python3 >/dev/null 2>&1 || give_up "python3 is not installed"
    rm -rf "$place"
    mkdir -p "$folder" || give_up "cannot make the folder $folder"
    python3 -m venv "$place" >"$folder/$1.log" 2>&1 || give_up "python3 cannot make an environment (python3-venv?)"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --retries 1 "$2" </dev/null \
        >"$folder/$1.log" 2>&1 || give_up "pip cannot deliver $2: $(tail -n 1 "$folder/$1.log")"
    rm -f "$folder/$1.log"
    echo "$2" >"$place/ready"
}

install mcp1 mcp==1.30.0
install mcp2 mcp==2.3.0
install fastmcp4 fastmcp==4.0.11
(cd "$folder" && pwd)
