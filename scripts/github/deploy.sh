#!/usr/bin/env bash
# The second step of action.yml: releases, follows the release, and ends with its exit code.
#
# exec, here and in action.yml: a runner that cancels a job signals the process that it started, and
# no other one. What the command line writes into GITHUB_OUTPUT and GITHUB_STEP_SUMMARY is its own.
#
# From action.yml: COMMAND, and the inputs as INPUT_*.
set -euo pipefail

arguments=(deploy "--policy=$INPUT_POLICY")
while IFS= read -r image; do
    [ -z "$image" ] || arguments+=("--image=$image")
done <<<"$INPUT_IMAGE"
[ -z "$INPUT_TASK_DEFINITION" ] || arguments+=("--task-definition=$INPUT_TASK_DEFINITION")
[ -z "$INPUT_RELEASE" ] || arguments+=("--release=$INPUT_RELEASE")
[ -z "$INPUT_FORCE" ] || arguments+=(--force "--reason=$INPUT_FORCE")
[ "$INPUT_REPORT" != true ] || arguments+=("--report=$RUNNER_TEMP/lastgood-report.html")
rm -f "$RUNNER_TEMP/lastgood-report.html" # of an earlier release in this job
exec "$COMMAND" "${arguments[@]}"
