#!/usr/bin/env bash
# Before pip runs: lets pip find the CPU build of torch, a quarter of the size of the default CUDA build.
#
# requirements.txt keeps plain `torch==X`: it installs anywhere, and with this extra index pip prefers `X+cpu`.
# An index that cannot be reached costs pip seconds for each package, so it is named only while it answers.
#
#   PIP_CONF     the pip configuration to write (default: the machine's)
#   TORCH_INDEX  the extra index
#   ENABLE_GPU   true: the CUDA build is wanted, nothing is written
set -euo pipefail

PIP_CONF=${PIP_CONF:-/etc/pip.conf}
TORCH_INDEX=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
EB_APP_ENV=${EB_APP_ENV:-/opt/elasticbeanstalk/bin/get-config}
MARK='# written by 10_cpu_torch.sh'

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

index_answers() {
    if command -v curl >/dev/null; then
        curl --fail --silent --location --max-time 5 --output /dev/null "$TORCH_INDEX/torch/"
    else
        python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5).read(1)' \
            "$TORCH_INDEX/torch/" 2>/dev/null
    fi
}

someone_elses() { [[ -s $PIP_CONF ]] && ! grep -qF "$MARK" "$PIP_CONF"; }

# Only what this hook wrote before: a stale extra index is what would slow the install down.
take_back() { if [[ -e $PIP_CONF ]] && ! someone_elses; then rm -f "$PIP_CONF"; fi; }

if [[ $(uname -s) != Linux ]]; then
    say "nothing to do: the default torch of $(uname -s) is a CPU build"
elif gpu_wanted; then
    take_back
    say "ENABLE_GPU=true: pip installs the default torch"
elif someone_elses; then
    say "$PIP_CONF has settings of its own and is left alone: pip installs the default torch, which is larger"
elif ! index_answers; then
    take_back
    say "the index of CPU builds does not answer: pip installs the default torch, which is larger"
else
    mkdir -p "$(dirname "$PIP_CONF")" || fail "cannot make the folder of $PIP_CONF; set PIP_CONF"
    {
        echo "$MARK"
        echo '[global]'
        echo "extra-index-url = $TORCH_INDEX"
        # On an instance a cache is only disk; on a developer's machine it saves the next download.
        if [[ $PIP_CONF == /etc/pip.conf ]]; then echo 'no-cache-dir = true'; fi
    } >"$PIP_CONF" || fail "cannot write $PIP_CONF; set PIP_CONF to a file that can be written"
    say "pip will prefer CPU builds of torch ($PIP_CONF)"
fi
