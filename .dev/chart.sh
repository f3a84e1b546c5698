# The tests of the Helm chart: helm/README.md.

# Helm's engine and the schemas of Kubernetes, as packages of Python outside the checkout; prints its python.
chart_python() {
  python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || system_packages python3 python3-venv >&2
  local list=helm/tests/requirements.txt cache=${XDG_CACHE_HOME:-$HOME/.cache}/bund folder making
  folder=$cache/chart-$(sha256sum "$list" | cut -c 1-16)
  if [ ! -e "$folder" ]; then
    say "fetching what the chart is tested with (some 120 MB, once)" >&2
    mkdir -p "$cache"
    making=$(mktemp -d "$cache/making.XXXXXX")
    if python3 -m venv "$making" >&2 && "$making/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$list" >&2; then
      # Somebody else may have been quicker.
      mv -T "$making" "$folder" 2>/dev/null || rm -rf "$making"
    else
      rm -rf "$making"
      return 1
    fi
  fi
  printf '%s' "$folder/bin/python"
}

chart_passed=0 chart_failed=0

chart() {
  local python log status=0 missing='the chart is not tested: this needs Python 3.11 and the packages of helm/tests/requirements.txt'
  say "Helm chart"
  if ! python=$(chart_python); then
    [ -z "${CI:-}" ] || fail "$missing"
    say "LEFT OUT: $missing"
    return
  fi
  export PYTHONDONTWRITEBYTECODE=1
  if [ "${1:-}" = write ]; then
    "$python" helm/tests/write.py
    return
  fi
  log=$(mktemp)
  "$python" -m pytest -q -p no:cacheprovider ${1:+-k "$1"} helm/tests 2>&1 | tee "$log" || status=$?
  chart_passed=$(sed -nE '$s/^(.*[^0-9])?([0-9]+) passed.*$/\2/p' "$log")
  chart_failed=$(sed -nE '$s/^(.*[^0-9])?([0-9]+) failed.*$/\2/p' "$log")
  rm -f "$log"
  chart_passed=${chart_passed:-0} chart_failed=${chart_failed:-0}
  # Broken before the first test is a failure too.
  [ "$status" -eq 0 ] || [ "$chart_failed" -gt 0 ] || chart_failed=1
  return "$status"
}
