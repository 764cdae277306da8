#!/usr/bin/env bash
# redis-cli as start.sh has it: the installed one, or the one that it has downloaded.
#
#   deploy/local/redis-cli.sh [argument …]     `ping`; `-p 16380 cluster info`; default: port REDIS_PORT (16379)
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
for part in instance redis; do
  # shellcheck source=/dev/null
  . "$here/$part.sh"
done
download_redis
redis_cli -p "$redis_port" "$@"
