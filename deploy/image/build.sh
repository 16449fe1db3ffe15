#!/usr/bin/env bash
# Builds the images `dermserve` and `dermserve-proxy` from a bundle that lies in a folder.
#
#   BUNDLE       the folder dermserve-<sha256> that `python -m deploy.bundle FOLDER` printed
#   TAG          tag of both images (default: latest)
#   ENGINE       docker or buildah (default: docker if its engine answers, else buildah)
#   BASE         an image with Python in the version of the bundle (default: see the Dockerfile)
#   PROXY_BASE   an image with nginx (default: see the Dockerfile)
#
# buildah reads BUILDAH_ISOLATION, STORAGE_DRIVER and CONTAINERS_STORAGE_CONF from the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    echo "image: $*" >&2
    exit 1
}

choose_engine() {
    if docker version >/dev/null 2>&1; then
        echo docker
    elif command -v buildah >/dev/null; then
        echo buildah
    else
        fail "neither Docker's engine nor buildah is here; install one of them"
    fi
}

[[ -f ${BUNDLE:?set BUNDLE to the folder of a bundle}/manifest.json ]] || fail "BUNDLE=$BUNDLE is not the folder of a bundle"
BUNDLE=$(realpath "$BUNDLE")
ENGINE=${ENGINE:-$(choose_engine)}
TAG=${TAG:-latest}
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)

options=(
    --file deploy/image/Dockerfile
    --build-context "bundle=$(dirname "$BUNDLE")"
    --build-arg "BUNDLE=$(basename "$BUNDLE")"
    --build-arg "VERSION=$VERSION"
    --build-arg "REVISION=$REVISION"
)
if [[ -n ${BASE:-} ]]; then options+=(--build-arg "BASE=$BASE"); fi
if [[ -n ${PROXY_BASE:-} ]]; then options+=(--build-arg "PROXY_BASE=$PROXY_BASE"); fi
# The OCI format has no HEALTHCHECK. Docker finds the file for ignored paths by itself.
if [[ $ENGINE == buildah ]]; then
    options+=(--format docker --ignorefile deploy/image/Dockerfile.dockerignore)
fi

"$ENGINE" build "${options[@]}" --target proxy --tag "dermserve-proxy:$TAG" .
"$ENGINE" build "${options[@]}" --target service --tag "dermserve:$TAG" .
