#!/usr/bin/env bash
# Before pip runs: installs packages, models and index from a bundle (docs/deployment/bundle.md), so that a new instance
# needs no registry. If the bundle cannot be used, one WARNING line says why, and the deployment continues without it.
#
#   DERMSERVE_BUNDLE   the bundle: a folder or s3:// address that ends with dermserve-<sha256>; empty: none
#   DERMSERVE_VAR      the data folder (default /var/lib/dermserve)
#   DERMSERVE_PYTHON   the interpreter of the application's virtual environment (default: the platform's)
#   REQUIREMENTS       the pinned requirements (default: requirements.txt of this folder)
#   PIP_CONF           the pip configuration to write (default: the machine's)
#   EB_APP_ENV         the platform's command that prints environment properties
set -euo pipefail

REQUIREMENTS=$(realpath -m "${REQUIREMENTS:-requirements.txt}")
PIP_CONF=${PIP_CONF:-/etc/pip.conf}
EB_APP_ENV=${EB_APP_ENV:-/opt/elasticbeanstalk/bin/get-config}
APP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
MARK='# written by 05_bundle.sh'

property() { # name
    local value=${!1:-}
    if [[ -z $value && -x $EB_APP_ENV ]]; then value=$("$EB_APP_ENV" environment -k "$1" 2>/dev/null || true); fi
    echo "$value"
}

find_python() {
    local candidate
    for candidate in "${DERMSERVE_PYTHON:-}" /var/app/venv/*/bin/python "$(command -v python3 || true)"; do
        if [[ -x $candidate ]]; then
            echo "$candidate"
            return
        fi
    done
}

# An earlier deployment's configuration would keep pip from its registry.
forget_configuration() { if [[ -e $PIP_CONF ]] && grep -qF "$MARK" "$PIP_CONF"; then rm -f "$PIP_CONF"; fi; }

warn() { echo "bundle: WARNING: DERMSERVE_BUNDLE is not used: $*" >&2; }

forget_configuration
bundle=$(property DERMSERVE_BUNDLE)
[[ -n $bundle ]] || exit 0
var=$(property DERMSERVE_VAR)
var=${var:-/var/lib/dermserve}
python=$(find_python)
if [[ -z $python ]]; then
    warn "there is no Python interpreter; set DERMSERVE_PYTHON"
    exit 0
fi
if ! mkdir -p "$var"; then
    warn "$var cannot be made; set DERMSERVE_VAR to a writable folder"
    exit 0
fi
cd "$APP_DIR"
# On the platform /tmp is in memory.
TMPDIR=${TMPDIR:-/var/tmp} "$python" -m deploy.bundle.install "$bundle" \
    --var "$var" --requirements "$REQUIREMENTS" --pip-conf "$PIP_CONF" && status=0 || status=$?
if [[ $status != 0 ]]; then
    forget_configuration
    # With status 3 it has said so itself.
    if [[ $status != 3 ]]; then warn "its installation ended with status $status; the lines above say why"; fi
fi
