#!/usr/bin/env bash
# Stops what start.sh started, and nothing else: a process counts as ours by its id and its start time.
#
#   deploy/local/stop.sh [--wipe] [service or instance …]     `kafka`, `redis-16379`; default: all
#
# --wipe also removes the data and logs of what it names, stopped before or now. Downloads stay. RHEO_SERVERS_DIR as for
# start.sh. Fails at the name of no server.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/instance.sh"

wipe=no
[ "${1:-}" != --wipe ] || { wipe=yes && shift; }

lock
# is_named INSTANCE NAME…: whether a name is its own or its service's; any instance is meant where there is no name.
is_named() {
  local instance=$1 name
  shift
  [ $# -gt 0 ] || return 0
  for name in "$@"; do [[ $instance != "$name" && ${instance%-*} != "$name" ]] || return 0; done
  return 1
}

form='^(kafka3?|redis3?|registry)(-[0-9]+)?$'
for name in "$@"; do [[ $name =~ $form ]] || fail "there is no server named $name"; done
instances=()
for folder in "$servers"/*-*/; do
  instance=$(basename "$folder")
  [[ $instance =~ $form ]] && is_named "$instance" "$@" && instances+=("$instance")
done
[ ${#instances[@]} -gt 0 ] || say "nothing is there${*:+ of $*}"

for instance in ${instances[@]+"${instances[@]}"}; do
  pid=$(pid_of "$instance") && kill "$pid" && say "asked $instance (process $pid) to stop"
done || true
for instance in ${instances[@]+"${instances[@]}"}; do
  for _ in $(seq 200); do pid=$(pid_of "$instance") && sleep 0.1 || break; done
  ! pid=$(pid_of "$instance") || { kill -9 "$pid" && say "killed $instance (process $pid)"; }
  rm -f "$servers/$instance/pid"
  [ $wipe = no ] || rm -rf "${servers:?}/$instance"
done
