#!/usr/bin/env bash
# Runs the deployment hook after a change of environment properties. This is a script instead of a link, because the
# platform may not preserve links when it unpacks the bundle.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../../hooks/postdeploy/30_observability.sh"
