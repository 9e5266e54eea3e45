#!/bin/sh
# Creates the namespace, or gives the one that is there the retention asked for, and returns when
# the server answers for it. The temporal command reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu
: "${TEMPORAL_ADDRESS:?}" "${TEMPORAL_NAMESPACE:?}" "${RETENTION:?}"

patiently() {
    what=$1
    shift
    attempt=1
    until "$@" >/dev/null; do
        if [ "$attempt" -ge 30 ]; then
            echo "$what: still not so after $attempt attempts" >&2
            exit 1
        fi
        attempt=$((attempt + 1))
        sleep 2
    done
}

patiently "Temporal serves at $TEMPORAL_ADDRESS" temporal operator cluster health

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi

# A new namespace is known to all parts of the server only after some seconds.
patiently "Namespace $TEMPORAL_NAMESPACE can be used" temporal workflow list --limit 1

# By these releases are found in lists. One that is there already is left as it is; a server that
# refuses them is no reason not to start: releases go on without.
if ! temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
    --name LastgoodService --type Keyword --name LastgoodOutcome --type Keyword \
    --name LastgoodImage --type Keyword --name LastgoodActor --type Keyword; then
    echo "The search attributes are not there: see docs/temporal-ui.md" >&2
fi
echo "Namespace $TEMPORAL_NAMESPACE is ready, with a retention of $RETENTION"
