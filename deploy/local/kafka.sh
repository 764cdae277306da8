# Sourced. Apache Kafka from Maven Central: `kafka`, one node, and `kafka3`, three with replication 3. Every node is
# broker and KRaft controller; the controller listens on the port above.
kafka_version=4.4.0
kafka_port=${KAFKA_PORT:-19092}
kafka_sasl_port=${KAFKA_SASL_PORT-$((kafka_port + 2))}
kafka_mtls_port=${KAFKA_MTLS_PORT-$((kafka_port + 3))}
kafka3_ports=("${KAFKA3_PORT:-19192}" "$((${KAFKA3_PORT:-19192} + 10))" "$((${KAFKA3_PORT:-19192} + 20))")
kafka_jars=$downloads/kafka-$kafka_version

download_kafka() {
  need_java
  [ -f "$kafka_jars/complete" ] && return
  say "downloading Kafka $kafka_version"
  rm -rf "$kafka_jars"
  mkdir -p "$kafka_jars"
  cat >"$kafka_jars/pom.xml" <<-XML
	<project xmlns="http://maven.apache.org/POM/4.0.0">
	  <modelVersion>4.0.0</modelVersion>
	  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
	  <dependencies>
	    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
	    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
	  </dependencies>
	</project>
	XML
  cat >"$kafka_jars/log4j2.xml" <<-XML
	<Configuration status="warn">
	  <Appenders><Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n%throwable"/></Console></Appenders>
	  <Loggers>
	    <Logger name="kafka.server.KafkaRaftServer" level="info"/>
	    <Root level="warn"><AppenderRef ref="out"/></Root>
	  </Loggers>
	</Configuration>
	XML
  mvn -q -B -Dstyle.color=never -f "$kafka_jars/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$kafka_jars" >&2
  touch "$kafka_jars/complete"
}
download_kafka3() { download_kafka; }

# Timeouts and sizes are for tests: little to wait for at start, and a dead node is noticed in 3 s.
kafka_settings() { # INSTANCE NODE VOTERS PORT REPLICAS MIN_IN_SYNC
  local listeners=PLAINTEXT://127.0.0.1:$4
  if [ "$1" = "kafka-$kafka_port" ]; then
    [ -z "$kafka_sasl_port" ] || listeners+=,SASL_SSL://127.0.0.1:$kafka_sasl_port
    [ -z "$kafka_mtls_port" ] || listeners+=,SSL://127.0.0.1:$kafka_mtls_port
  fi
  cat <<-SETTINGS
	process.roles=broker,controller
	node.id=$2
	controller.quorum.voters=$3
	controller.listener.names=CONTROLLER
	listeners=$listeners,CONTROLLER://127.0.0.1:$(($4 + 1))
	advertised.listeners=$listeners
	listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
	inter.broker.listener.name=PLAINTEXT
	log.dirs=$servers/$1/data
	auto.create.topics.enable=false
	default.replication.factor=$5
	min.insync.replicas=$6
	offsets.topic.num.partitions=8
	offsets.topic.replication.factor=$5
	transaction.state.log.num.partitions=8
	transaction.state.log.replication.factor=$5
	transaction.state.log.min.isr=$6
	share.coordinator.state.topic.num.partitions=2
	share.coordinator.state.topic.replication.factor=$5
	share.coordinator.state.topic.min.isr=$6
	group.initial.rebalance.delay.ms=0
	group.min.session.timeout.ms=1000
	broker.session.timeout.ms=3000
	broker.heartbeat.interval.ms=500
	SETTINGS
  [[ $listeners != *SSL* ]] || cat <<-SETTINGS
	sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
	listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
	listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
	ssl.keystore.type=PEM
	ssl.keystore.location=$tls/server.pem
	ssl.truststore.type=PEM
	ssl.truststore.location=$tls/ca.pem
	listener.name.ssl.ssl.client.auth=required
	authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
	super.users=User:ANONYMOUS;User:${KAFKA_SASL_USER:-app};User:CN=app
	SETTINGS
}

launch_node() { # SERVICE NODE VOTERS PORT REPLICAS MIN_IN_SYNC HEAP
  local instance=$1-$4
  may_launch "$instance" "$4" || return 0
  local settings=$servers/$instance/server.properties
  local jvm=("$java" "-Xmx$7" -cp "$kafka_jars/*" "-Dlog4j2.configurationFile=$kafka_jars/log4j2.xml")
  [ "$1" != kafka ] || [ -z "$kafka_sasl_port$kafka_mtls_port" ] || make_certificates
  kafka_settings "$instance" "$2" "$3" "$4" "$5" "$6" >"$settings"
  if [ ! -f "$servers/$instance/data/meta.properties" ]; then # SCRAM users can be made at the first start only
    local user="name=${KAFKA_SASL_USER:-app},password=${KAFKA_SASL_PASSWORD:-app-secret}"
    local least='name=least,password=least-secret' # may do what ACLs let it
    "${jvm[@]}" kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw -c "$settings" \
      --add-scram "SCRAM-SHA-256=[$user]" --add-scram "SCRAM-SHA-512=[$user]" --add-scram "SCRAM-SHA-512=[$least]" >"$servers/$instance/format.log" 2>&1 ||
      { cat "$servers/$instance/format.log" >&2 && fail "the storage of $instance was not formatted"; }
  fi
  launch "$instance" "${jvm[@]}" "-Xms$7" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 kafka.Kafka "$settings"
}
node_is_ready() { grep -q 'Kafka Server started' "$servers/$1/log" && answers "$2"; }

launch_kafka() { launch_node kafka 1 "1@127.0.0.1:$((kafka_port + 1))" "$kafka_port" 1 1 "${KAFKA_HEAP:-512m}"; }
await_kafka() { await "kafka-$kafka_port" node_is_ready "kafka-$kafka_port" "$kafka_port"; }

launch_kafka3() {
  local node voters
  voters=$(for node in 1 2 3; do echo "$node@127.0.0.1:$((kafka3_ports[node - 1] + 1))"; done | paste -sd,)
  for node in 1 2 3; do launch_node kafka3 "$node" "$voters" "${kafka3_ports[node - 1]}" 3 2 "${KAFKA_HEAP:-256m}"; done
}
await_kafka3() {
  local port
  for port in "${kafka3_ports[@]}"; do await "kafka3-$port" node_is_ready "kafka3-$port" "$port"; done
}
