#!/usr/bin/env bash
# Deploys DermServe with the EB CLI, swaps two environments, or goes back. The workflows run this; it also works by hand.
#
#   .github/deploy.sh prepare             install the EB CLI of the rehearsal, and name application, region and platform
#   .github/deploy.sh immutable           deploy this commit to the environment that has the host name LIVE_CNAME
#   .github/deploy.sh blue-green          clone that environment, deploy this commit to the clone, and swap the host names
#   .github/deploy.sh swap-back NAME      give the host name back to the environment NAME
#   .github/deploy.sh version LABEL       deploy an earlier version to the environment that has the host name
#
# Variables: APPLICATION, AWS_REGION, PLATFORM and LIVE_CNAME (all needed); DOMAIN, if the environment serves HTTPS for it.
set -euo pipefail

MINUTES=45  # for one deployment; longer than the environment's own limit, so that its reason is shown

stop() {
    echo "deploy: $*" >&2
    exit 1
}

# The commit is the version's label, so that the same commit is never uploaded twice.
label() { git rev-parse --short=12 HEAD; }

environment_with() {  # NAME-OF-FIELD VALUE
    aws elasticbeanstalk describe-environments --application-name "$APPLICATION" --no-include-deleted \
        --query "Environments[?$1=='$2'].[EnvironmentName,CNAME]" --output text
}

live() {
    local name
    name=$(environment_with CNAME "$LIVE_CNAME" | cut -f 1)
    [ -n "$name" ] || stop "no environment of $APPLICATION has the host name $LIVE_CNAME"
    echo "$name"
}

wait_until_ready() {  # ENVIRONMENT
    local cname address
    cname=$(environment_with EnvironmentName "$1" | cut -f 2)
    [ -n "$cname" ] || stop "$APPLICATION has no environment $1"
    address=("http://$cname/health/ready")
    if [ -n "${DOMAIN:-}" ]; then
        # The certificate names the domain, and not the environment's own host name.
        address=(--connect-to "$DOMAIN:443:$cname:443" "https://$DOMAIN/health/ready")
    fi
    curl --fail --silent --show-error --max-time 20 --retry 20 --retry-delay 15 --retry-all-errors "${address[@]}" ||
        stop "$1 is not ready; nothing was swapped. See docs/operations.md#a-deployment-fails"
    echo
}

deploy_commit() {  # ENVIRONMENT
    eb deploy "$1" --label "$(label)" --message "$(git log -1 --format=%s)" --timeout "$MINUTES"
    wait_until_ready "$1"
}

prepare() {
    local tools=${RUNNER_TEMP:-/tmp}/eb-cli
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --require-hashes -r requirements-rehearsal.txt
    "$tools/bin/eb" init "$APPLICATION" --region "$AWS_REGION" --platform "$PLATFORM"
    if [ -n "${GITHUB_PATH:-}" ]; then
        echo "$tools/bin" >>"$GITHUB_PATH"
    fi
}

immutable() {
    local blue
    blue=$(live)
    deploy_commit "$blue"
}

blue_green() {
    local blue green
    blue=$(live)
    green=dermserve-$(label)
    [ "$blue" != "$green" ] || stop "$blue already serves this commit"
    eb clone "$blue" --clone_name "$green" --exact --timeout "$MINUTES"
    deploy_commit "$green"
    eb swap "$blue" --destination_name "$green"
    echo "deploy: $green is live. To go back: swap-back $blue. When $blue gets no requests: eb terminate $blue"
}

swap_back() {  # ENVIRONMENT
    local now
    now=$(live)
    [ "$now" != "$1" ] || stop "$1 already has the host name $LIVE_CNAME"
    wait_until_ready "$1"
    eb swap "$now" --destination_name "$1"
}

version() {  # LABEL
    local now
    now=$(live)
    eb deploy "$now" --version "$1" --timeout "$MINUTES"
    wait_until_ready "$now"
}

for name in APPLICATION AWS_REGION PLATFORM LIVE_CNAME; do
    [ -n "${!name:-}" ] || stop "the variable $name is not set"
done
case "${1:-} $#" in
    "prepare 1") prepare ;;
    "immutable 1") immutable ;;
    "blue-green 1") blue_green ;;
    "swap-back 2") swap_back "$2" ;;
    "version 2") version "$2" ;;
    *) stop "unknown command; see the beginning of $0" ;;
esac
