#!/bin/sh
# Runs docker-compose.yml for real. .github/workflows/compose.yml calls it step by step; by hand, on
# a Linux machine with Docker (kill needs root on it, to hit the processes themselves):
#
#   for step in start check release kill stop; do sh compose/try.sh "$step" || break; done
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '== %s\n' "$*"
}

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

compose() {
    docker compose --profile sandbox "$@"
}

# The Temporal command line, in the network of the compose file.
temporal_cli() {
    compose run --rm --no-deps -T --entrypoint temporal namespace "$@"
}

# In the sandbox's network, but apart from its worker, which is going to be killed.
in_sandbox() {
    compose run --rm --no-deps -T sandbox-worker python /compose/releases.py "$@"
}

container() {
    id=$(compose ps --all --quiet "$1")
    [ -n "$id" ] || die "$1 has no container"
    echo "$id"
}

state() {
    id=$(container "$1")
    docker inspect --format "$2" "$id"
}

health='{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}'

wait_for() {
    service=$1
    attempt=0
    while :; do
        now=$(state "$service" "$health")
        case $now in healthy | running) break ;; esac
        attempt=$((attempt + 1))
        [ "$attempt" -lt 60 ] || die "$service is $now after two minutes"
        sleep 2
    done
    say "$service is $now"
}

polls() {
    namespace=$1
    attempt=0
    until temporal_cli task-queue describe --namespace "$namespace" --task-queue lastgood \
        --output json | grep -q '"identity"'; do
        attempt=$((attempt + 1))
        [ "$attempt" -lt 20 ] || die "no worker polls in namespace $namespace"
        sleep 2
    done
    say "a worker polls in namespace $namespace"
}

start() {
    if docker compose --env-file /dev/null config --quiet 2>/dev/null; then
        die "it would start without a password"
    fi
    docker compose config --quiet
    compose build worker
    compose build sandbox
    compose up --detach
}

check() {
    for service in postgresql temporal ui worker sandbox sandbox-worker; do
        wait_for "$service"
    done
    for service in schema namespace sandbox-namespace; do
        code=$(state "$service" '{{.State.ExitCode}}')
        [ "$code" = 0 ] || die "$service ended with $code"
    done
    temporal_cli operator cluster health
    temporal_cli operator namespace describe --namespace default
    temporal_cli operator namespace describe --namespace lastgood-sandbox
    polls default
    polls lastgood-sandbox
    ports=$(docker ps --filter label=com.docker.compose.project=lastgood --format '{{.Ports}}' |
        tr ',' '\n' | tr -d ' ' | grep -e '->')
    for published in $ports; do
        case $published in
        127.0.0.1:*) say "published: $published" ;;
        *) die "published beyond loopback: $published" ;;
        esac
    done
    say "schema set-up once more, on a database that is up to date"
    compose run --rm --no-deps -T schema
}

release() {
    in_sandbox prepare shop:1
    say "a good release ends healthy"
    in_sandbox release shop:2 0
    in_sandbox serves shop:2
    say "a bad one is rolled back"
    in_sandbox release shop:3-errors-0.4 10
    in_sandbox serves shop:2
}

# `docker kill` would count as stopped by hand, and not be started again: kill the process itself.
kill_9() {
    service=$1
    before=$(state "$service" '{{.RestartCount}}')
    process=$(state "$service" '{{.State.Pid}}')
    say "kill -9 $service (process $process)"
    sudo kill -9 "$process"
    attempt=0
    until now=$(state "$service" '{{.RestartCount}}') && [ "$now" != "$before" ]; do
        attempt=$((attempt + 1))
        [ "$attempt" -lt 30 ] || die "$service was not started again"
        sleep 1
    done
    wait_for "$service"
}

kill_each() {
    for service in sandbox-worker temporal postgresql ui; do
        number=$((${number:-3} + 1))
        in_sandbox release "shop:$number-errors-0.4" 10 &
        released=$!
        sleep 8
        kill_9 "$service"
        wait "$released" || die "the release did not survive the loss of $service"
        in_sandbox serves shop:2
    done
    say "the containers go, the volume stays"
    compose down
    compose up --detach
    check
    temporal_cli workflow list --namespace lastgood-sandbox --limit 20 | grep ServiceGuard ||
        die "the releases' memory is gone"
}

stop() {
    compose down --volumes --remove-orphans --timeout 30
    left=$(docker ps --all --quiet --filter label=com.docker.compose.project=lastgood)
    [ -z "$left" ] || die "left behind: $left"
}

case ${1:-} in
start | check | release | stop) "$1" ;;
kill) kill_each ;;
*) die "say start, check, release, kill or stop" ;;
esac
