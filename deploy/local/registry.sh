# Sourced. Apicurio Registry from Maven Central; its Confluent-compatible API is /apis/ccompat/v7. Schemas and ids are
# kept in a file. Newer versions (3.3) are not used: they take some incompatible schemas for equal ones.
registry_version=3.0.9
registry_port=${REGISTRY_PORT:-18081}
registry_files=$downloads/registry-$registry_version

download_registry() {
  need_java
  [ -f "$registry_files/complete" ] && return
  say "downloading Apicurio Registry $registry_version"
  rm -rf "$registry_files"
  mkdir -p "$registry_files"
  # Version 2.8 of the plugin: newer ones ask for the parent's pom, which is not on Maven Central.
  mvn -q -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:2.8:get -Dtransitive=false \
    "-Dartifact=io.apicurio:apicurio-registry-app:$registry_version:tar.gz:all" "-Ddest=$registry_files/all.tar.gz" >&2
  tar xzf "$registry_files/all.tar.gz" -C "$registry_files"
  rm "$registry_files/all.tar.gz"
  touch "$registry_files/complete"
}

launch_registry() {
  local instance=registry-$registry_port
  may_launch "$instance" "$registry_port" || return 0
  launch "$instance" "$java" -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dquarkus.http.host=127.0.0.1 "-Dquarkus.http.port=$registry_port" \
    -Dquarkus.management.host=127.0.0.1 "-Dquarkus.management.port=$((registry_port + 1))" \
    "-Dapicurio.datasource.url=jdbc:h2:file:$servers/$instance/data/registry" -jar "$registry_files"/*-runner.jar
}

registry_is_ready() { [ "$(http "$registry_port" GET /apis/ccompat/v7/subjects)" = 200 ]; }
await_registry() {
  await "registry-$registry_port" registry_is_ready
  # Apicurio's own default accepts any change of a schema.
  [ "$(http "$registry_port" PUT /apis/ccompat/v7/config '{"compatibility":"BACKWARD_TRANSITIVE"}')" = 200 ] ||
    fail 'the registry did not take the compatibility level'
}
