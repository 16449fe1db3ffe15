#!/usr/bin/env bash
# After a deployment: puts the files of .ebextensions/80-agent.config to work. This runs last because the platform
# writes its own settings of rsyslog and of the CloudWatch agent during a deployment.
#
# A log or a metric that is missing is not worth taking a healthy version down: what fails here says so in one
# line and the deployment goes on. The memory and disk alarms tell when the agent is silent.
#
#   DERMSERVE_ETC   where the files lie          RSYSLOG_DIR, LOGROTATE_DIR   where they go
#   CW_AGENT_CTL    the agent's control program  SYSTEMCTL                    restarts rsyslog
set -euo pipefail

DERMSERVE_ETC=${DERMSERVE_ETC:-/opt/dermserve}
RSYSLOG_DIR=${RSYSLOG_DIR:-/etc/rsyslog.d}
LOGROTATE_DIR=${LOGROTATE_DIR:-/etc/logrotate.d}
CW_AGENT_CTL=${CW_AGENT_CTL:-/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl}
SYSTEMCTL=${SYSTEMCTL:-systemctl}

warn() { echo "observability: WARNING: $*" >&2; }

# Before the platform's web.conf in name order.
event_log() {
    install -m 0644 "$DERMSERVE_ETC/rsyslog.conf" "$RSYSLOG_DIR/10-dermserve.conf" &&
        install -m 0644 "$DERMSERVE_ETC/logrotate.conf" "$LOGROTATE_DIR/dermserve" &&
        "$SYSTEMCTL" restart rsyslog
}

# append-config: beside the platform's own configuration, which streams its logs.
agent() {
    [[ -x $CW_AGENT_CTL ]] &&
        "$CW_AGENT_CTL" -a append-config -m ec2 -s -c "file:$DERMSERVE_ETC/cloudwatch-agent.json"
}

if [[ ! -d $DERMSERVE_ETC ]]; then
    warn "$DERMSERVE_ETC is missing: no event log, no memory and disk metrics"
    exit 0
fi
event_log || warn "the event log was not set up: the inference and shed alarms have no data"
agent || warn "the CloudWatch agent was not set up: the memory and disk alarms have no data"
