# Sourced. A certificate authority of our own in $servers/tls/, for tests on loopback: ca.pem, server.{crt,key,pem},
# client.{crt,key}. The server's certificate is for localhost and 127.0.0.1.
tls=$servers/tls

issue() { # NAME SUBJECT EXTENSION
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1.pkcs1" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -out "$1.crt" -extfile <(echo "$3")
  openssl pkcs8 -topk8 -nocrypt -in "$1.pkcs1" -out "$1.key"
}

make_certificates() {
  [ -f "$tls/server.pem" ] && return
  command -v openssl >/dev/null || fail 'openssl is needed for TLS: apt-get install openssl'
  mkdir -p "$tls"
  (
    cd "$tls"
    umask 077
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=rheo-local -keyout ca.key -out ca.pem
    issue client app 'extendedKeyUsage=clientAuth'
    issue server localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1'
    cat server.key server.crt ca.pem >server.pem
  ) 2>"$servers/tls.log" || fail "no certificates: see $servers/tls.log"
}
