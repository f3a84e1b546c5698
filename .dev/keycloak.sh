# Keycloak for the tests and the demonstration: fetched once with Maven, kept outside the checkout. Sourced by ./dev.

keycloak_version() { tr -d '[:space:]' <helm/bund/files/keycloak/version; }

keycloak_home() {
  printf '%s' "${BUND_KEYCLOAK_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/bund/keycloak-$(keycloak_version)}"
}

# Why there can be none, or nothing.
keycloak_lacks() {
  local java
  command -v java >/dev/null || { printf 'Java 17 or later is missing'; return; }
  java=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
  [ "${java:-0}" -ge 17 ] || { printf 'Java 17 or later is missing'; return; }
  if [ ! -e "$(keycloak_home)/bund-built" ] && ! command -v mvn >/dev/null; then
    printf 'Maven is missing'
  fi
}

# Fetched, built for a database in a file, and ready to be started quickly. Fails with a sentence, and leaves nothing half done.
keycloak() {
  local home version lacks partial
  home=$(keycloak_home)
  lacks=$(keycloak_lacks)
  if [ -n "$lacks" ]; then
    say "no Keycloak: $lacks"
    return 1
  fi
  [ -e "$home/bund-built" ] && return 0
  version=$(keycloak_version)
  partial=$home.partial
  rm -rf "$partial"
  mkdir -p "$partial"
  say "fetching Keycloak $version (170 MB, once; ten minutes at most)"
  if ! timeout 600 mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$partial" >"$partial/log" 2>&1; then
    tail -3 "$partial/log" >&2
    rm -rf "$partial"
    say "no Keycloak: it could not be fetched"
    return 1
  fi
  say "building it (half a minute)"
  if ! timeout 600 bash "$partial/keycloak-$version/bin/kc.sh" build --db=dev-file >"$partial/log" 2>&1; then
    tail -3 "$partial/log" >&2
    rm -rf "$partial"
    say "no Keycloak: it could not be built"
    return 1
  fi
  rm -rf "$home" "$partial/keycloak-$version/data"
  mv "$partial/keycloak-$version" "$home"
  rm -rf "$partial"
  touch "$home/bund-built"
}

# Serves the realm of the city from this folder on this port, in the background; its process is `$issuer`.
keycloak_start() {
  local folder=$1 port=$2 home part
  home=$(keycloak_home)
  for part in lib providers themes conf; do
    [ -e "$folder/$part" ] || ln -s "$home/$part" "$folder/$part"
  done
  java -Xms64m -Xmx512m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.security=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager \
    -Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory \
    -Dkc.home.dir="$folder" -Djboss.server.config.dir="$folder/conf" -cp "$folder/lib/quarkus-run.jar" \
    io.quarkus.bootstrap.runner.QuarkusEntryPoint start --optimized --cache=local --import-realm \
    --http-enabled=true --http-host=127.0.0.1 --http-port="$port" --hostname="http://127.0.0.1:$port" \
    >"$folder/log" 2>&1 </dev/null &
  issuer=$!
}
