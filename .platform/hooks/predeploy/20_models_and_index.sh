#!/usr/bin/env bash
# Before the new version takes over: its models and its index are on disk, whole and verified, or the deployment
# stops here and the old version goes on answering.
#
# Files live outside the application folder and are reused while their digests match.
#
#   DERMSERVE_VAR            the data folder (default /var/lib/dermserve)
#   DERMSERVE_OWNER          who reads it (default webapp); applied only by root
#   DERMSERVE_PYTHON         the application's interpreter (default: the platform's, else python on PATH)
#   DERMSERVE_MODEL_SOURCES  "name=s3://bucket/folder …": models that come from there, not from the registry
#   DERMSERVE_INDEX          sample (default) | scin | a folder or an address of a built index
#   DERMSERVE_SCIN_LIMIT     cases to build for DERMSERVE_INDEX=scin (default 500; all: every case)
#   EB_APP_ENV               the platform's reader of environment properties
set -euo pipefail

EB_APP_ENV=${EB_APP_ENV:-/opt/elasticbeanstalk/bin/get-config}
APP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

say() { echo "models-and-index: $*"; }
fail() {
    echo "models-and-index: $*" >&2
    exit 1
}

# Environment properties that the platform did not hand to this hook; what is set already wins.
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

# Runs the application's interpreter; on failure its last line becomes the reason that the deployment shows.
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

# What the server checks when it starts, run before the old version is stopped: every digest, and that index, encoder
# and FAISS_DIMENSION belong together. An index that lies elsewhere is fetched on the way.
CHECK_BOOT='
import sys
from settings import load_or_exit
from web.boot import BootError, check_boot
try:
    check_boot(load_or_exit())
except BootError as error:
    sys.exit(f"error: {error}")'

prepare_models() {
    local pair
    for pair in ${DERMSERVE_MODEL_SOURCES:-}; do
        [[ $pair == *=* ]] || fail "DERMSERVE_MODEL_SOURCES has '$pair'; write name=s3://bucket/folder"
        run "The model ${pair%%=*} could not be fetched" "Check DERMSERVE_MODEL_SOURCES and the instance profile." \
            -m ml fetch "${pair%%=*}" --source "${pair#*=}"
    done
    run "The models could not be fetched" "Check the network from the instance, or name a copy in DERMSERVE_MODEL_SOURCES." \
        -m ml fetch
    run "The models are not what was pinned" "Remove $DERMSERVE_VAR/models on the instance and deploy again." \
        -m ml verify
}

# The dataset, encoder and size that an index was built from; a change of any of them builds it anew.
scin_recipe() { echo "$SCIN_BUCKET_PATH ${DERMSERVE_ENCODER:-default} ${DERMSERVE_SCIN_LIMIT:-500}"; }

prepare_scin() {
    [[ -n ${SCIN_BUCKET_PATH:-} ]] || fail "DERMSERVE_INDEX=scin needs SCIN_BUCKET_PATH"
    local index=$DERMSERVE_VAR/index/scin
    if [[ $(cat "$index.recipe" 2>/dev/null) == "$(scin_recipe)" ]] && "$PYTHON" -c "$CHECK_BOOT" >/dev/null 2>&1; then
        say "the SCIN index is reused: it matches its digests"
        return
    fi
    local limit=(--limit "${DERMSERVE_SCIN_LIMIT:-500}")
    if [[ ${DERMSERVE_SCIN_LIMIT:-} == all ]]; then limit=(); fi
    run "The SCIN index could not be built" "Check SCIN_BUCKET_PATH and the network, or publish a built index and name it in DERMSERVE_INDEX." \
        -m scin build --source "$SCIN_BUCKET_PATH" --out "$index" ${limit[@]+"${limit[@]}"}
    scin_recipe >"$index.recipe"
}

prepare_index() {
    case ${DERMSERVE_INDEX:-sample} in
    sample)
        run "The sample index could not be built" "Deploy again; if it fails again, report the lines above." -m scin sample
        say "WARNING: DERMSERVE_INDEX=sample is synthetic, a demonstration: no condition is named from it"
        ;;
    scin) prepare_scin ;;
    esac
    run "The new version would not start" "Correct the setting, or publish the index again or name another in DERMSERVE_INDEX." -c "$CHECK_BOOT"
}

hand_over() {
    local owner=${DERMSERVE_OWNER:-webapp}
    [[ $(id -u) == 0 ]] || return 0
    id "$owner" >/dev/null 2>&1 || fail "there is no user $owner to own $DERMSERVE_VAR; set DERMSERVE_OWNER"
    chown -R "$owner:" "$DERMSERVE_VAR"
}

find_python
read_environment
export DERMSERVE_VAR=${DERMSERVE_VAR:-/var/lib/dermserve}
# /tmp is memory on the platform: models and archives are unpacked on the disk.
export TMPDIR=${TMPDIR:-/var/tmp}
cd "$APP_DIR"

if [[ ${ML_AVAILABLE:-true} == false ]]; then
    say "ML_AVAILABLE=false: no models, no index"
    exit 0
fi
mkdir -p "$DERMSERVE_VAR/index" || fail "cannot make $DERMSERVE_VAR; set DERMSERVE_VAR to a folder that can be written"
prepare_models
prepare_index
hand_over
say "ready in $DERMSERVE_VAR"
