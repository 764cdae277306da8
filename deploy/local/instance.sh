# Sourced by start.sh and stop.sh. An instance is one server process, named <service>-<port>; its folder
# $servers/<service>-<port>/ holds all that is its own: pid, log, configuration, data. Downloads lie in $servers/downloads/.
# Linux only: /proc tells a process from a later one with the same id.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
servers=${RHEO_SERVERS_DIR:-$repository/.servers}
mkdir -p "$servers/downloads"
servers=$(cd "$servers" && pwd)
downloads=$servers/downloads

say() { echo "servers: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# One start or stop at a time; the lock ends with this shell (children do not inherit descriptor 9).
lock() {
  exec 9>"$servers/.lock"
  flock 9
}

# start_time PID: prints when it started, in clock ticks since boot; nothing when it is dead, if not yet buried.
start_time() { sed -n 's/.*) //; /^[^ZX]/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# pid_of INSTANCE: prints the id of its living process; status 1 when there is none.
pid_of() {
  local pid started
  read -r pid started 2>/dev/null <"$servers/$1/pid" || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http PORT METHOD PATH [BODY]: prints the answer's status code.
http() {
  local body=${4:-} code
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
    "$2" "$3" "${#body}" "$body" >&3
  read -r -t 5 _ code _ <&3 || code=none
  exec 3>&-
  echo "$code"
}

# may_launch INSTANCE PORT: makes the instance's folder; status 1 when it runs already. Fails when something else holds the
# port, and does not let go of it within some seconds, as a child does of a server that was killed.
may_launch() {
  pid_of "$1" >/dev/null && return 1
  for _ in {1..50}; do
    answers "$2" || { mkdir -p "$servers/$1/data" && return 0; }
    sleep 0.1
  done
  fail "port $2 is taken by something that was not started from $servers: stop it, or choose another port"
}

# launch INSTANCE COMMAND…: runs it in the background, and prints the instance's name on stdout: this call started it.
launch() {
  local instance=$1 pid
  shift
  setsid nohup "$@" >"$servers/$instance/log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$servers/$instance/pid"
  echo "$instance"
}

# await INSTANCE CHECK…: waits until the check succeeds.
await() {
  local instance=$1 pid waited=0
  shift
  until "$@" >/dev/null 2>&1; do
    pid=$(pid_of "$instance") || { tail -20 "$servers/$instance/log" >&2; fail "$instance died; the end of its log is above"; }
    [ $((waited += 1)) -lt $((${SERVERS_READY_S:-180} * 5)) ] || { tail -20 "$servers/$instance/log" >&2; fail "$instance (process $pid) is not ready"; }
    sleep 0.2
  done
  say "$instance is ready (process $(pid_of "$instance"))"
}

# need_java: a Java 17 or newer as `java`, and Maven to download with.
need_java() {
  java=${JAVA_HOME:+$JAVA_HOME/bin/}java
  local version
  version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ] || fail 'Java 17 or newer is needed: apt-get install default-jre-headless'
  command -v mvn >/dev/null || fail 'Maven is needed for the download: apt-get install maven'
}
