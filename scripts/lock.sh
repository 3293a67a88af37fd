#!/bin/sh
# Write constraints.txt: the newest versions that pyproject.toml allows, resolved in an environment of its own.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3.11}" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet ".[${EXTRAS:-render,cluster,remote,kubric,inference,crosscheck,view,dev}]"
{
    echo "# Made by \`make lock\`; do not edit."
    "$scratch/venv/bin/python" -m pip freeze --exclude voidgen | grep -v ' @ ' | sed 's/+cpu$//'
} > constraints.txt
echo "constraints.txt: $(grep -vc '^#' constraints.txt) versions"
