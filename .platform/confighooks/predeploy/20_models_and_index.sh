#!/usr/bin/env bash
# A change of environment properties needs the same as a deployment. A script and not a link: whether a link
# survives the zip and the platform's unpacking is not known.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../../hooks/predeploy/20_models_and_index.sh"
