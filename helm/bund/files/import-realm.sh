#!/bin/sh
# Gives the city's realm to a Keycloak that runs; one that has it already is left as it is. For the image of Keycloak.
set -eu

kcadm() {
  "${KCADM:-/opt/keycloak/bin/kcadm.sh}" "$@" --config "${TMPDIR:-/tmp}/kcadm.config"
}

# The secret is in KC_CLI_CLIENT_SECRET.
kcadm config credentials --server "$KEYCLOAK_URL" --realm master --client "$KEYCLOAK_CLIENT"
if answer=$(kcadm get realms/city --fields realm 2>&1); then
  echo "the realm city is there already: left as it is"
  exit 0
fi
case $answer in
  *"not found"*) ;;
  *)
    echo "Keycloak does not say whether there is a realm city: $answer" >&2
    exit 1
    ;;
esac
kcadm create realms --file "${REALM_FILE:-/realm/city-realm.json}"
