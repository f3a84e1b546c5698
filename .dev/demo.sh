# The demonstration: a small city, its server, and an issuer of tokens for its people. Sourced by ./dev.

demo_address=127.0.0.1:8080
demo_port=8180
demo_issuer="http://127.0.0.1:$demo_port/realms/city"
demo_portal="http://$demo_address/portal/"
demo_hospitals='h001 h002 h003 h004'

demo_folder() {
  local folder=${BUND_DEMO_DIR:-$PWD/.bund/demo}
  # PostgreSQL never runs as root, and the account it runs as may not be able to reach this checkout.
  if [ "$(id -u)" -eq 0 ] && [ -z "${BUND_DEMO_DIR:-}" ]; then
    folder=/var/lib/bund-demo
  fi
  printf '%s' "$folder"
}

demo() {
  local folder bund=target/release/bund
  case "${1:-}" in
    '' | --no-auth) ;;
    *) fail "demo takes --no-auth or nothing" ;;
  esac
  prepare
  folder=$(demo_folder)
  say "building (some minutes the first time)"
  cargo build --release --package server
  mkdir -p "$folder"
  demo_load "$folder" "$bund"
  if [ "${1:-}" = --no-auth ]; then
    demo_open "$folder" "$bund"
  else
    demo_logins "$folder" "$bund"
  fi
}

# Each hospital keeps what it wrote: what belongs together is in one bundle, and goes to the hospital that it names first.
demo_load() {
  local folder=$1 bund=$2 code
  [ -e "$folder/loaded" ] && [ -e "$folder/h001.ndjson" ] && return
  # Of a version that had no hospitals: made anew.
  rm -rf "${folder:?}"/*
  say "making a small city: 4 hospitals and 200 people with their appointments, encounters and observations"
  "$bund" generate --hospitals 4 --patients 200 --bundles --out "$folder/city.ndjson"
  rm -f "$folder"/h???.ndjson
  awk -v folder="$folder" 'match($0, /Organization\/h[0-9][0-9][0-9]/) {
    print > (folder "/" substr($0, RSTART + 13, 4) ".ndjson") }' "$folder/city.ndjson"
  "$bund" migrate --embedded-db "$folder/database"
  for code in $demo_hospitals; do
    BUND_HOSPITAL=$code "$bund" import --embedded-db "$folder/database" "$folder/$code.ndjson"
  done
  touch "$folder/loaded"
}

demo_open() {
  local folder=$1 bund=$2
  say "serving; Ctrl-C stops the server and its database, the data stays in $folder"
  cat <<TEXT

  FHIR API      http://$demo_address/fhir
  what it can   http://$demo_address/fhir/metadata
  a search      curl 'http://$demo_address/fhir/Patient?name=wang&_pretty=true'
  a write       curl -H 'Content-Type: application/fhir+json' -d '{"resourceType":"Patient","active":true}' http://$demo_address/fhir/Patient

TEXT
  BUND_LOG=${BUND_LOG:-warn} exec "$bund" serve --embedded-db "$folder/database" --listen "$demo_address" --insecure-no-auth
}

# Who can log in: login, password, group, hospital, patient, name. The passwords are of this machine alone.
demo_people() {
  local folder=$1 patient
  [ -s "$folder/logins" ] && return
  patient=$(awk 'match($0, /"resourceType":"Patient","id":"[^"]*"/) {
    print substr($0, RSTART + 31, RLENGTH - 32); exit }' "$folder/h001.ndjson")
  (
    umask 077
    while read -r login group hospital of name; do
      printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$login" "$(random_text)" "$group" "$hospital" "$of" "$name"
    done >"$folder/logins" <<TEXT
doctor-h001 doctors h001 - 王医生
doctor-h002 doctors h002 - 陈医生
patient patients - $patient 李娜
auditor auditors - - 孙审计
operator operators - - 周运维
TEXT
  )
}

random_text() { head -c 18 /dev/urandom | base64 | tr '+/' 'xy'; }

demo_register() {
  local folder=$1 bund=$2 code
  [ -e "$folder/registered" ] && return
  say "registering the hospitals, their issuer and its client"
  for code in $demo_hospitals; do
    "$bund" hospital --embedded-db "$folder/database" add "$code" --name "Hospital $code" --prefix "$code-" --replace >/dev/null
  done
  BUND_REGISTRY_APPROVERS=1 BUND_IDENTITY_ALLOW_HTTP_LOOPBACK=true "$bund" issuer --embedded-db "$folder/database" add "$demo_issuer" --broker --replace
  "$bund" client --embedded-db "$folder/database" add "$demo_issuer" portal --may-assert-purpose --replace
  touch "$folder/registered"
}

# The people as Keycloak imports them, beside the realm that we ship.
demo_realm() {
  local folder=$1
  mkdir -p "$folder/data/import"
  cp helm/bund/files/keycloak/city-realm.json "$folder/data/import/city-realm.json"
  (
    umask 077
    awk -F '\t' 'BEGIN { printf "{\"realm\":\"city\",\"users\":[" }
    {
      printf "%s{\"username\":\"%s\",\"enabled\":true,\"email\":\"%s@city.example\",\"firstName\":\"%s\",\"lastName\":\"%s\"", (NR > 1 ? "," : ""), $1, $1, $1, $6
      printf ",\"groups\":[\"/%s\"],\"credentials\":[{\"type\":\"password\",\"value\":\"%s\",\"temporary\":false}]", $3, $2
      printf ",\"attributes\":{\"subject_name\":[\"%s\"]", $6
      if ($4 != "-") printf ",\"subject_organization_id\":[\"%s\"]", $4
      if ($5 != "-") printf ",\"patient\":[\"%s\"]", $5
      printf "}}"
    }
    END { print "]}" }' "$2" >"$folder/data/import/city-users-0.json"
  )
}

# Begins to sign tokens in the background, by Keycloak where it can be had; its process is `$issuer`.
demo_sign() {
  local folder=$1 bund=$2 waited=0
  if keycloak; then
    mkdir -p "$folder/keycloak"
    [ -e "$folder/keycloak/data" ] || demo_realm "$folder/keycloak" "$folder/logins"
    say "starting Keycloak (three minutes at most)"
    export CITY_FHIR_BASE="http://$demo_address/fhir" CITY_PORTAL_URL=$demo_portal CITY_EHR_JWKS_URL="http://127.0.0.1:9/jwks"
    keycloak_start "$(cd "$folder/keycloak" && pwd)" "$demo_port"
    while [ "$waited" -lt 180 ]; do
      curl -sf -o /dev/null "$demo_issuer/.well-known/openid-configuration" && return
      kill -0 "$issuer" 2>/dev/null || break
      sleep 1
      waited=$((waited + 1))
    done
    kill "$issuer" 2>/dev/null || true
    wait "$issuer" 2>/dev/null || true
    say "Keycloak did not start ($folder/keycloak/log says why)"
  fi
  waited=0
  say "a small issuer of our own signs instead"
  "$bund" demo-issuer --listen "127.0.0.1:$demo_port" --logins "$folder/logins" --audience "http://$demo_address/fhir" &
  issuer=$!
  while [ "$waited" -lt 200 ]; do
    curl -sf -o /dev/null "$demo_issuer/.well-known/openid-configuration" && return
    kill -0 "$issuer" 2>/dev/null || break
    sleep 0.1
    waited=$((waited + 1))
  done
  fail "no issuer can be started on port $demo_port"
}

demo_logins() {
  local folder=$1 bund=$2
  demo_people "$folder"
  demo_register "$folder" "$bund"
  issuer=''
  server=''
  trap demo_stop EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  demo_sign "$folder" "$bund"
  say "serving; Ctrl-C stops the server, its database and the issuer; the data stays in $folder"
  cat <<TEXT

  FHIR API      http://$demo_address/fhir
  what it can   http://$demo_address/fhir/metadata
  issuer        $demo_issuer

  login         password                   who
$(awk -F '\t' '{ printf "  %-13s %-26s %s%s%s\n", $1, $2, $3, ($4 == "-" ? "" : " of " $4), ($5 == "-" ? "" : ", Patient/" $5) }' "$folder/logins")

  In another terminal, here; a token is good for five minutes:

  TOKEN=\$(./dev token doctor-h001)
  curl -H "Authorization: Bearer \$TOKEN" 'http://$demo_address/fhir/Patient?name=wang&_pretty=true'
  curl -H "Authorization: Bearer \$(./dev token doctor-h002)" 'http://$demo_address/fhir/Patient?_summary=count&_pretty=true'
  curl -H "Authorization: Bearer \$(./dev token patient)" 'http://$demo_address/fhir/Observation?_count=3&_pretty=true'
  curl -H "Authorization: Bearer \$(./dev token auditor)" 'http://$demo_address/fhir/AuditEvent?_count=3&_pretty=true'
  curl -H "Authorization: Bearer \$(./dev token operator)" 'http://$demo_address/fhir/\$reindex'

TEXT
  BUND_LOG=${BUND_LOG:-warn} BUND_IDENTITY_ALLOW_HTTP_LOOPBACK=true \
    "$bund" serve --embedded-db "$folder/database" --listen "$demo_address" </dev/null &
  server=$!
  wait "$server"
}

demo_stop() {
  trap - EXIT INT TERM
  local process
  for process in "$server" "$issuer"; do
    [ -n "$process" ] && kill "$process" 2>/dev/null || true
  done
  wait
}

# A token of somebody of the demonstration, on standard output.
token() {
  local name=${1:-} folder password group scope
  folder=$(demo_folder)
  [ -r "$folder/logins" ] || fail "there are no logins yet; ./dev demo makes them"
  password=$(awk -F '\t' -v name="$name" '$1 == name { print $2 }' "$folder/logins")
  group=$(awk -F '\t' -v name="$name" '$1 == name { print $3 }' "$folder/logins")
  [ -n "$password" ] || fail "there is no login \`$name\`; there are: $(cut -f1 "$folder/logins" | tr '\n' ' ')"
  case "$group" in
    doctors) scope='openid user/*.cruds' ;;
    patients) scope='openid launch/patient patient/*.rs patient/AuditEvent.rs' ;;
    auditors) scope='openid user/AuditEvent.rs' ;;
    *) scope='openid user/*.rs' ;;
  esac
  local discovery
  discovery=$(curl -sf "$demo_issuer/.well-known/openid-configuration") || fail "no issuer answers at $demo_issuer; is ./dev demo running?"
  case "$discovery" in
    *authorization_endpoint*) token_by_login "$name" "$password" "$scope" ;;
    *) curl -sf --data-urlencode "username=$name" --data-urlencode "password=$password" -d grant_type=password "$demo_issuer/token" ;;
  esac | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}

# As the portal does it: the form of the login, a code, and what only the app knows (RFC 7636).
token_by_login() (
  local name=$1 password=$2 scope=$3 verifier challenge page action code cookies
  cookies=$(mktemp)
  trap 'rm -f "$cookies"' EXIT
  verifier=$(head -c 48 /dev/urandom | base64 -w0 | tr '+/' '-_' | tr -d =)
  challenge=$(printf '%b' "$(printf '%s' "$verifier" | sha256sum | cut -c1-64 | sed 's/../\\x&/g')" | base64 -w0 | tr '+/' '-_' | tr -d =)
  page=$(curl -sf -c "$cookies" -G "$demo_issuer/protocol/openid-connect/auth" -d response_type=code -d client_id=portal \
    --data-urlencode "redirect_uri=$demo_portal" --data-urlencode "scope=$scope" -d state=x \
    -d "code_challenge=$challenge" -d code_challenge_method=S256)
  action=$(sed -n 's/.*action="\([^"]*\)".*/\1/; T; s/&amp;/\&/g; p; q' <<<"$page")
  code=$(curl -s -o /dev/null -w '%{redirect_url}' -b "$cookies" --data-urlencode "username=$name" --data-urlencode "password=$password" "$action" |
    sed -n 's/.*[?&]code=\([^&]*\).*/\1/p')
  [ -n "$code" ] || fail "the login was refused"
  curl -sf "$demo_issuer/protocol/openid-connect/token" -d grant_type=authorization_code -d client_id=portal \
    --data-urlencode "redirect_uri=$demo_portal" -d "code=$code" -d "code_verifier=$verifier"
)
