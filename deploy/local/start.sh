#!/usr/bin/env bash
# Real servers on loopback, without Docker and without installing them. First use downloads from Maven Central and Debian.
#
#   deploy/local/start.sh [kafka registry redis kafka3 redis3]     default: kafka registry redis
#
# Prints the instances that this call started, one a line (`kafka-19092`), for stop.sh; what runs already is left alone.
# Returns when all are ready; fails when a port is taken, or a server dies or is not ready after SERVERS_READY_S (180).
#
# RHEO_SERVERS_DIR  where downloads, data and logs go; default: .servers of this repository
# KAFKA_PORT 19092  REGISTRY_PORT 18081  REDIS_PORT 16379   another port is another instance, with data of its own
# KAFKA3_PORT 19192 (and 10, 20 above)  REDIS3_PORT 16380 (and 1, 2 above): three brokers; a Redis Cluster
# KAFKA_SASL_PORT   2 above KAFKA_PORT; empty: none. SASL_SSL, SCRAM, user KAFKA_SASL_USER (app), KAFKA_SASL_PASSWORD (app-secret)
# KAFKA_MTLS_PORT   3 above KAFKA_PORT; empty: none. TLS that asks for a client's certificate. REDIS_TLS_PORT: TLS for redis
#                   User least (least-secret) may do what ACLs let it; all others may do everything.
#                   Certificates: $RHEO_SERVERS_DIR/tls/{ca.pem,client.crt,client.key}
# REDIS_PASSWORD    redis asks for it; user REDIS_USER (app). REDIS_MAXMEMORY 512mb, REDIS_MAXMEMORY_POLICY noeviction
# KAFKA_HEAP        512m, 256m for each node of kafka3
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
for part in instance tls kafka registry redis; do
  # shellcheck source=/dev/null
  . "$here/$part.sh"
done

[ $# -gt 0 ] || set -- kafka registry redis
for service in "$@"; do declare -F "launch_$service" >/dev/null || fail "there is no server named $service"; done

lock
for service in "$@"; do "download_$service"; done
for service in "$@"; do "launch_$service"; done
for service in "$@"; do "await_$service"; done
