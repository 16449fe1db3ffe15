#!/usr/bin/env bash
# Before pip runs: lets it install the CPU build of torch, a quarter of the size of the default CUDA build.
#
# requirements.txt pins the default build by its hashes, and the CUDA libraries that it needs. The CPU build has the same
# version and an index of its own. Where that index states the hashes of the CPU build, this hook pins those instead,
# takes the CUDA libraries out, and tells pip of the index. Otherwise it leaves the default build.
#
#   REQUIREMENTS   the pinned requirements (default: requirements.txt of this folder)
#   TARGET         where the requirements for pip are written (default: REQUIREMENTS itself)
#   PIP_CONF       the pip configuration to write (default: the machine's)
#   PIP_FIND_LINKS folders that pip searches for wheels: a CPU build in one of them needs no index
#   TORCH_INDEX    the index of CPU builds
#   ENABLE_GPU     true: the CUDA build is wanted
set -euo pipefail

REQUIREMENTS=${REQUIREMENTS:-requirements.txt}
TARGET=${TARGET:-$REQUIREMENTS}
PIP_CONF=${PIP_CONF:-/etc/pip.conf}
TORCH_INDEX=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
EB_APP_ENV=${EB_APP_ENV:-/opt/elasticbeanstalk/bin/get-config}
MARK='# written by 10_cpu_torch.sh'
BUNDLE_MARK='# written by 05_bundle.sh'

say() { echo "cpu-torch: $*"; }
fail() {
    echo "cpu-torch: $*" >&2
    exit 1
}

gpu_wanted() {
    local enabled=${ENABLE_GPU:-}
    if [[ -z $enabled && -x $EB_APP_ENV ]]; then
        enabled=$("$EB_APP_ENV" environment -k ENABLE_GPU 2>/dev/null || true)
    fi
    [[ $enabled =~ ^([Tt]rue|TRUE|1)$ ]]
}

index_page() {
    if command -v curl >/dev/null; then
        curl --fail --silent --location --max-time 20 "$TORCH_INDEX/torch/"
    else
        python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())' \
            "$TORCH_INDEX/torch/" 2>/dev/null
    fi
}

# of the CPU builds of the pinned version, for every interpreter, as the index states them
hashes_in_index() {
    { index_page || true; } | grep -oE "torch-${VERSION//./\\.}(\+|%2B)cpu-[^\"<> ]+\.whl#sha256=[0-9a-f]{64}" |
        sed 's/.*=//' | sort -u || true
}

# of CPU builds for this interpreter that lie in a folder which pip searches
hashes_in_folders() {
    local tag folder wheel
    tag=$(python3 -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    for folder in ${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}; do
        for wheel in "$folder/torch-$VERSION+cpu-$tag-"*"$(uname -m).whl"; do
            if [[ -f $wheel ]]; then sha256sum "$wheel" | cut -d ' ' -f 1; fi
        done
    done
}

someone_elses() { [[ -s $PIP_CONF ]] && ! grep -qF "$MARK" "$PIP_CONF"; }

# An index that cannot be reached costs pip seconds for each package, so it is named only while it answers.
forget_index() { if [[ -e $PIP_CONF ]] && ! someone_elses; then rm -f "$PIP_CONF"; fi; }

name_index() {
    mkdir -p "$(dirname "$PIP_CONF")" || fail "cannot make the folder of $PIP_CONF; set PIP_CONF"
    {
        echo "$MARK"
        echo '[global]'
        echo "extra-index-url = $TORCH_INDEX"
        # On an instance a cache is only disk; on a developer's machine it saves the next download.
        if [[ $PIP_CONF == /etc/pip.conf ]]; then echo 'no-cache-dir = true'; fi
    } >"$PIP_CONF" || fail "cannot write $PIP_CONF; set PIP_CONF to a file that can be written"
}

write_requirements() { # hashes
    local made
    made=$(mktemp)
    awk -v hashes="$*" '
        /^[A-Za-z0-9]/ { cuda_only = /^(nvidia-|cuda-|triton==)/; torch = /^torch==/ }
        cuda_only || (torch && /--hash=/) { next }
        { print }
        torch && /^torch==/ {
            n = split(hashes, all, " ")
            for (i = 1; i <= n; i++) printf "    --hash=sha256:%s%s\n", all[i], i < n ? " \\" : ""
        }
    ' "$REQUIREMENTS" >"$made"
    cat "$made" >"$TARGET" || fail "cannot write $TARGET; set TARGET to a file that can be written"
    rm -f "$made"
}

default_build() { # reason
    if [[ $TARGET != "$REQUIREMENTS" ]]; then cat "$REQUIREMENTS" >"$TARGET"; fi
    say "$1: pip installs the default build of torch"
}

[[ -r $REQUIREMENTS ]] || fail "cannot read $REQUIREMENTS; set REQUIREMENTS"
VERSION=$(sed -n 's/^torch==\([^ ;]*\).*/\1/p' "$REQUIREMENTS")
[[ -n $VERSION ]] || fail "$REQUIREMENTS does not pin torch"

if [[ -e $PIP_CONF ]] && grep -qF "$BUNDLE_MARK" "$PIP_CONF"; then
    say "the packages come from the bundle"
elif [[ $(uname -s) != Linux ]]; then
    default_build "on $(uname -s) the default build is for CPUs"
elif gpu_wanted; then
    forget_index
    default_build "ENABLE_GPU=true"
elif hashes=$(hashes_in_folders) && [[ -n $hashes ]]; then
    forget_index
    # shellcheck disable=SC2086 # one argument for each hash
    write_requirements $hashes
    say "pip installs the CPU build of torch from a local folder"
elif someone_elses; then
    default_build "$PIP_CONF has settings of its own and is left alone"
elif hashes=$(hashes_in_index) && [[ -n $hashes ]]; then
    name_index
    # shellcheck disable=SC2086 # one argument for each hash
    write_requirements $hashes
    say "pip installs the CPU build of torch ($PIP_CONF names its index)"
else
    forget_index
    default_build "the index of CPU builds does not answer, or states no hash of torch $VERSION"
fi
