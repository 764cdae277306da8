#!/usr/bin/env bash
# Rheo's side of the velocity bench; main.ts says what the environment has to hold. Stays in the foreground, ends on SIGTERM.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node=$root/node_modules/.bin/node
[ -x "$node" ] || node=node
exec "$node" "$root/bench/velocity/main.ts"
