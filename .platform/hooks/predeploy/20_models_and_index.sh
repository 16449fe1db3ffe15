#!/usr/bin/env bash
# Fetches and verifies the models and the index before the new version starts. If this fails, the deployment stops and
# the old version continues to serve.
#
# The files are outside the application folder, and are reused while their digests match.
#
#   DERMSERVE_VAR            the data folder (default /var/lib/dermserve)
#   DERMSERVE_OWNER          owner of the data folder (default webapp); set only when root runs this
#   DERMSERVE_PYTHON         the application's interpreter (default: the platform's, or python on PATH)
#   DERMSERVE_MODEL_SOURCES  "name=s3://bucket/folder …": models to fetch from there instead of from the registry
#   DERMSERVE_INDEX          sample | scin | the folder or address of a built index | auto (default): the best index in
#                            DERMSERVE_VAR/index, and the sample, which is built too, if there is no real one
#   DERMSERVE_SCIN_LIMIT     number of cases for DERMSERVE_INDEX=scin (default 500), or "all"
#   EB_APP_ENV               the platform's command that prints environment properties
set -euo pipefail

EB_APP_ENV=${EB_APP_ENV:-/opt/elasticbeanstalk/bin/get-config}
APP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

say() { echo "models-and-index: $*"; }
fail() {
    echo "models-and-index: $*" >&2
    exit 1
}

# Exports the environment properties that are not set yet.
read_environment() {
    [[ -x $EB_APP_ENV ]] || return 0
    local exports
    exports=$("$EB_APP_ENV" environment | "$PYTHON" -c '
import json, os, re, shlex, sys
for name, value in json.load(sys.stdin).items():
    if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in os.environ:
        print(f"export {name}={shlex.quote(str(value))}")') ||
        fail "the environment properties cannot be read with $EB_APP_ENV"
    eval "$exports"
}

find_python() {
    local candidate
    for candidate in "${DERMSERVE_PYTHON:-}" /var/app/venv/*/bin/python "$(command -v python || true)"; do
        if [[ -x $candidate ]]; then
            PYTHON=$candidate
            return
        fi
    done
    fail "no Python interpreter; set DERMSERVE_PYTHON"
}

# Runs the application's interpreter. If it fails, its last line becomes the reason in the deployment's events.
run() {
    local goal=$1 advice=$2 log
    shift 2
    log=$(mktemp)
    if ! "$PYTHON" "$@" 2>&1 | tee "$log"; then
        local reason
        reason=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 || true)
        rm -f "$log"
        reason=${reason#error: }
        fail "$goal: ${reason%.}. $advice"
    fi
    rm -f "$log"
}

# The checks that the server runs when it starts: all digests, and that index, encoder and FAISS_DIMENSION match. They
# run here before the old version is stopped. Before them, an index is fetched from a remote address, and the encoder
# that it may contain is compiled.
CHECK_BOOT='
import sys
from settings import load_or_exit
from ml.errors import ArtifactError
from web.boot import BootError, check_boot, prepare_encoder
settings = load_or_exit()
try:
    prepare_encoder(settings)
    check_boot(settings)
except (ArtifactError, BootError) as error:
    sys.exit(f"error: {error}")'

prepare_models() {
    local pair
    for pair in ${DERMSERVE_MODEL_SOURCES:-}; do
        [[ $pair == *=* ]] || fail "DERMSERVE_MODEL_SOURCES has '$pair'; write name=s3://bucket/folder"
        run "The model ${pair%%=*} could not be fetched" "Check DERMSERVE_MODEL_SOURCES and the instance profile." \
            -m ml fetch "${pair%%=*}" --source "${pair#*=}"
    done
    run "The models could not be fetched" "Check the network from the instance, or set DERMSERVE_MODEL_SOURCES to a copy." \
        -m ml fetch
    run "The models do not match their pinned digests" "Remove $DERMSERVE_VAR/models on the instance and deploy again." \
        -m ml verify
}

# The dataset, encoder and size of an index. It is rebuilt if one of them changes.
scin_recipe() { echo "$SCIN_BUCKET_PATH ${DERMSERVE_ENCODER:-default} ${DERMSERVE_SCIN_LIMIT:-500}"; }

prepare_scin() {
    [[ -n ${SCIN_BUCKET_PATH:-} ]] || fail "DERMSERVE_INDEX=scin needs SCIN_BUCKET_PATH"
    local index=$DERMSERVE_VAR/index/scin
    if [[ $(cat "$index.recipe" 2>/dev/null) == "$(scin_recipe)" ]] && "$PYTHON" -c "$CHECK_BOOT" >/dev/null 2>&1; then
        say "the SCIN index is reused, because it matches its digests"
        return
    fi
    local limit=(--limit "${DERMSERVE_SCIN_LIMIT:-500}")
    if [[ ${DERMSERVE_SCIN_LIMIT:-} == all ]]; then limit=(); fi
    run "The SCIN index could not be built" "Check SCIN_BUCKET_PATH and the network, or publish a built index and set DERMSERVE_INDEX to its address." \
        -m scin build --source "$SCIN_BUCKET_PATH" --out "$index" ${limit[@]+"${limit[@]}"}
    scin_recipe >"$index.recipe"
}

# An index of the bundle is complete, and has its digests; "auto" does not need the sample beside it.
has_index_of_bundle() { [[ -n ${DERMSERVE_BUNDLE:-} ]] && compgen -G "$DERMSERVE_VAR/index/*/manifest.json" >/dev/null; }

prepare_index() {
    local choice=${DERMSERVE_INDEX:-auto}
    if [[ $choice == auto ]] && has_index_of_bundle; then choice=there; fi
    case $choice in
    sample | auto)
        run "The sample index could not be built" "Deploy again. If it fails again, report the lines above." -m scin sample
        say "WARNING: the sample is a synthetic demonstration index; if it is served, no condition is named from it"
        ;;
    scin) prepare_scin ;;
    esac
    run "The new version would not start" "Correct the setting, publish the index again, or set DERMSERVE_INDEX to another one." -c "$CHECK_BOOT"
}

set_owner() {
    local owner=${DERMSERVE_OWNER:-webapp}
    [[ $(id -u) == 0 ]] || return 0
    id "$owner" >/dev/null 2>&1 || fail "the user $owner does not exist; set DERMSERVE_OWNER to the owner of $DERMSERVE_VAR"
    chown -R "$owner:" "$DERMSERVE_VAR"
}

find_python
read_environment
export DERMSERVE_VAR=${DERMSERVE_VAR:-/var/lib/dermserve}
# On the platform /tmp is in memory. Models and archives are unpacked on the disk instead.
export TMPDIR=${TMPDIR:-/var/tmp}
cd "$APP_DIR"

if [[ ${ML_AVAILABLE:-true} == false ]]; then
    say "ML_AVAILABLE=false, so models and index are not needed"
    exit 0
fi
mkdir -p "$DERMSERVE_VAR/index" || fail "cannot create $DERMSERVE_VAR; set DERMSERVE_VAR to a writable folder"
prepare_models
prepare_index
set_owner
say "ready in $DERMSERVE_VAR"
