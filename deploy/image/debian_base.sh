#!/usr/bin/env bash
# Makes the image `dermserve-base` from packages of Debian, for machines that reach no registry of images. It has Python
# 3.11 and nginx, so it serves as BASE and as PROXY_BASE. Needs mmdebstrap and buildah, and root.
set -euo pipefail

work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates,nginx-light bookworm "$work/base.tar"
printf 'FROM scratch\nADD base.tar /\nCMD ["/bin/sh"]\n' >"$work/Dockerfile"
buildah build --quiet --tag dermserve-base "$work"
