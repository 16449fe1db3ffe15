#!/usr/bin/env bash
# Installs the configuration files of .ebextensions/80-agent.config after a deployment. This runs last because the
# platform writes its own configuration of rsyslog and the CloudWatch agent during a deployment.
#
# A missing log or metric must not stop a healthy version, so each failure prints one warning and the deployment
# continues. The memory and disk alarms report a missing agent.
#
#   DERMSERVE_ETC   source folder of the files   RSYSLOG_DIR, LOGROTATE_DIR   target folders
#   CW_AGENT_CTL    control program of the agent SYSTEMCTL                    restarts rsyslog
set -euo pipefail

DERMSERVE_ETC=${DERMSERVE_ETC:-/opt/dermserve}
RSYSLOG_DIR=${RSYSLOG_DIR:-/etc/rsyslog.d}
LOGROTATE_DIR=${LOGROTATE_DIR:-/etc/logrotate.d}
CW_AGENT_CTL=${CW_AGENT_CTL:-/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl}
SYSTEMCTL=${SYSTEMCTL:-systemctl}

warn() { echo "observability: WARNING: $*" >&2; }

# 10- sorts before the platform's web.conf.
event_log() {
    install -m 0644 "$DERMSERVE_ETC/rsyslog.conf" "$RSYSLOG_DIR/10-dermserve.conf" &&
        install -m 0644 "$DERMSERVE_ETC/logrotate.conf" "$LOGROTATE_DIR/dermserve" &&
        "$SYSTEMCTL" restart rsyslog
}

# append-config keeps the platform's own configuration, which streams its logs.
agent() {
    [[ -x $CW_AGENT_CTL ]] &&
        "$CW_AGENT_CTL" -a append-config -m ec2 -s -c "file:$DERMSERVE_ETC/cloudwatch-agent.json"
}

if [[ ! -d $DERMSERVE_ETC ]]; then
    warn "$DERMSERVE_ETC is missing: there is no event log, and no memory and disk metrics"
    exit 0
fi
event_log || warn "the event log could not be set up, so the inference and overload alarms have no data"
agent || warn "the CloudWatch agent could not be set up, so the memory and disk alarms have no data"
