#!/usr/bin/env bash
# Stops what start.sh started, and nothing else: a process counts as ours by its id and its start time.
#
#   deploy/local/stop.sh [--wipe] [service or instance …]     `kafka`, `redis-16379`; default: all
#
# --wipe also removes the data and logs of what it names. Downloads stay. RHEO_SERVERS_DIR as for start.sh.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/instance.sh"

wipe=no
[ "${1:-}" != --wipe ] || { wipe=yes && shift; }

lock
instances=()
for file in "$servers"/*/pid; do
  [ -f "$file" ] || continue
  instance=$(basename "$(dirname "$file")")
  [ $# -gt 0 ] || instances+=("$instance")
  for name in "$@"; do [[ $instance != "$name" && ${instance%-*} != "$name" ]] || instances+=("$instance"); done
done

for instance in ${instances[@]+"${instances[@]}"}; do
  pid=$(pid_of "$instance") && kill "$pid" && say "asked $instance (process $pid) to stop"
done || true
for instance in ${instances[@]+"${instances[@]}"}; do
  for _ in $(seq 200); do pid=$(pid_of "$instance") && sleep 0.1 || break; done
  ! pid=$(pid_of "$instance") || { kill -9 "$pid" && say "killed $instance (process $pid)"; }
  rm -f "$servers/$instance/pid"
  [ $wipe = no ] || rm -rf "${servers:?}/$instance"
done
