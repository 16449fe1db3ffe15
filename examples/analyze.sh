#!/usr/bin/env bash
# Analyzes one photo with curl: analyze.sh PHOTO [URL]. curl --retry waits as long as Retry-After says.
set -euo pipefail
photo=$1
url=${2:-http://127.0.0.1:8000}

curl --silent --show-error --fail-with-body --retry 5 --retry-max-time 120 \
    ${DERMSERVE_KEY:+-H "X-API-Key: $DERMSERVE_KEY"} \
    -F "image=@$photo;filename=photo" -F age=54 -F sex=female -F body_site=arm \
    "$url/api/analyze/skin"
