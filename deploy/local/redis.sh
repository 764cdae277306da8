# Sourced. Redis 7: `redis`, and `redis3`, a cluster of three masters. The installed redis-server, or Debian's, unpacked
# and not installed.
redis_port=${REDIS_PORT:-16379}
redis3_ports=("${REDIS3_PORT:-16380}" "$((${REDIS3_PORT:-16380} + 1))" "$((${REDIS3_PORT:-16380} + 2))")
redis_files=$downloads/redis

download_redis() {
  redis_bin=$(dirname "$(command -v redis-server)") 2>/dev/null && [ -x "$redis_bin/redis-cli" ] && return
  redis_bin=$redis_files/usr/bin
  redis_libraries=$(echo "$redis_files"/usr/lib/*-linux-gnu)
  [ -f "$redis_files/complete" ] && return
  say 'downloading Redis'
  rm -rf "$redis_files"
  mkdir -p "$redis_files"
  (
    cd "$redis_files"
    packages='redis-tools libjemalloc2 liblzf1'
    # shellcheck disable=SC2086
    apt-get download $packages >/dev/null 2>&1 || { apt-get update >/dev/null && apt-get download $packages >/dev/null; }
    for package in *.deb; do dpkg-deb -x "$package" . && rm "$package"; done
  ) || fail 'Redis could not be downloaded: install redis-server'
  ln -sf redis-check-rdb "$redis_bin/redis-server" # one program under two names
  redis_libraries=$(echo "$redis_files"/usr/lib/*-linux-gnu)
  touch "$redis_files/complete"
}
download_redis3() { download_redis; }

redis_settings() { # INSTANCE PORT
  cat <<-SETTINGS
	bind 127.0.0.1
	port $2
	dir $servers/$1/data
	maxmemory ${REDIS_MAXMEMORY:-512mb}
	maxmemory-policy ${REDIS_MAXMEMORY_POLICY:-noeviction}
	save ""
	appendonly yes
	appendfsync everysec
	SETTINGS
  [ -z "${REDIS_PASSWORD:-}" ] || cat <<-SETTINGS
	user default off
	user ${REDIS_USER:-app} on >$REDIS_PASSWORD ~* &* +@all -@dangerous +info +config|get
	SETTINGS
  [ -z "${REDIS_TLS_PORT:-}" ] || cat <<-SETTINGS
	tls-port $REDIS_TLS_PORT
	tls-cert-file $tls/server.crt
	tls-key-file $tls/server.key
	tls-ca-cert-file $tls/ca.pem
	tls-auth-clients optional
	SETTINGS
}

launch_redis_server() { # INSTANCE PORT [SETTING…]
  may_launch "$1" "$2" || return 0
  [ -z "${REDIS_TLS_PORT:-}" ] || make_certificates
  redis_settings "$1" "$2" >"$servers/$1/redis.conf"
  printf '%s\n' "${@:3}" >>"$servers/$1/redis.conf"
  launch "$1" env LD_LIBRARY_PATH="${redis_libraries:-}" "$redis_bin/redis-server" "$servers/$1/redis.conf"
}
redis_cli() { LD_LIBRARY_PATH=${redis_libraries:-} "$redis_bin/redis-cli" "$@"; }
redis_is_ready() { redis_cli -p "$1" ping 2>&1 | grep -qE 'PONG|NOAUTH'; } # loading its file, it answers neither

launch_redis() { launch_redis_server "redis-$redis_port" "$redis_port"; }
await_redis() { await "redis-$redis_port" redis_is_ready "$redis_port"; }

launch_redis3() {
  local port
  for port in "${redis3_ports[@]}"; do
    launch_redis_server "redis3-$port" "$port" 'cluster-enabled yes' 'cluster-node-timeout 2000'
  done
}
cluster_is_ready() { redis_cli -p "$1" cluster info | grep -q cluster_state:ok; }
await_redis3() {
  local port addresses=()
  for port in "${redis3_ports[@]}"; do
    await "redis3-$port" redis_is_ready "$port"
    addresses+=("127.0.0.1:$port")
  done
  redis_cli -p "$port" cluster info | grep -q cluster_slots_assigned:16384 ||
    redis_cli --cluster create "${addresses[@]}" --cluster-yes >"$servers/redis3-$port/cluster.log" || fail 'the cluster was not made'
  for port in "${redis3_ports[@]}"; do await "redis3-$port" cluster_is_ready "$port"; done
}
