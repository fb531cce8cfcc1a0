#!/bin/sh
# Puts the real Claude Code CLI from npm into a folder and prints the path of its program.
#
#   tools/install_claude.sh [FOLDER [VERSION]]        default: target/claude-code, the pinned version
#
# Quick when it is there already. Whatever npm is configured with decides where it comes from. The package's own
# install script is not needed: the program is in the platform package, and is taken from there.
set -eu

# Unless told otherwise: the version whose behaviour the tests were written against.
pinned=${2:-2.1.329}
package=@anthropic-ai/claude-code

folder=${1:-target/claude-code}
# Complete only when this exists: it is made last, and names the program relative to the folder.
ready=$folder/program-$pinned

give_up() {
    echo "install_claude: $1" >&2
    exit 1
}

print_program() {
    read -r found <"$ready" && [ -x "$folder/$found" ] || return 1
    (cd "$folder" && echo "$PWD/$found")
}

if [ -f "$ready" ] && print_program; then
    exit 0
fi

command -v node >/dev/null 2>&1 || give_up "node is not installed"
command -v npm >/dev/null 2>&1 || give_up "npm is not installed"

mkdir -p "$folder" || give_up "cannot make the folder $folder"
# Every installation has a folder of its own, so that two at once do not meet.
stage=$(mktemp -d "$folder/v.XXXXXX") || give_up "cannot make a folder in $folder"
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$stage/home"
echo '{"private": true}' >"$stage/package.json"

# The flags undo what a user's npm configuration may say about place, optional packages and scripts.
fetch() {
    npm install --prefix "$stage" --no-global --include=optional --ignore-scripts --no-save --no-package-lock \
        --no-audit --no-fund --no-progress --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 \
        --fetch-timeout=60000 \
        "$package@$1" </dev/null >"$stage/npm.log" 2>&1
}

# True when the program starts; it must not see the user's settings, nor write beside them.
starts() {
    [ -x "$1" ] && env -i HOME="$stage/home" PATH="$PATH" DISABLE_AUTOUPDATER=1 "$1" --version \
        </dev/null >"$stage/version" 2>/dev/null && grep -q '^[0-9]' "$stage/version"
}

# Sets `program`, relative to the stage: the platform package's own program first, then what the main package
# links to, which in some versions is a script and in others needs the package's install script.
find_program() {
    for candidate in "$stage"/node_modules/"$package"-*/claude "$stage/node_modules/.bin/claude"; do
        program=${candidate#"$stage"/}
        starts "$candidate" && return 0
    done
    npm rebuild --prefix "$stage" --no-global --no-ignore-scripts "$package" </dev/null >>"$stage/npm.log" 2>&1 || true
    program=node_modules/.bin/claude
    starts "$stage/$program"
}

if ! fetch "$pinned"; then
    # Only a version that is not there is a reason to take another one.
    if grep -Eq 'ETARGET|No matching version' "$stage/npm.log"; then
        fetch latest || give_up "npm cannot deliver $package"
    else
        code=$(sed -n 's/^npm [a-z!]* code \([A-Z0-9_]*\).*/\1/p' "$stage/npm.log" | head -n 1)
        give_up "npm cannot deliver $package@$pinned${code:+ ($code)}"
    fi
fi
find_program || give_up "npm delivered $package, but no program in it starts on this machine"

rm -rf "$stage/home" "$stage/npm.log" "$stage/version"
trap - EXIT
echo "$(basename "$stage")/$program" >"$stage.ready"
mv "$stage.ready" "$ready"
# What an earlier, unfinished or older installation left is of no use any more; another one at work has a name of
# its own in the folder and is younger than a day.
find "$folder" -mindepth 1 -maxdepth 1 -name 'v.*' ! -name "$(basename "$stage")" -mtime +1 -exec rm -rf {} + || true
print_program || give_up "the program is gone again"
