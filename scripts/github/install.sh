#!/usr/bin/env bash
# The first step of action.yml: installs the command line of the commit that the action is used at.
#
# All that is downloaded is checked against the hashes in requirements/; our own wheel is built here,
# from the action's own files. Nothing is written outside of RUNNER_TEMP, which ends with the job.
#
# From the runner: GITHUB_ACTION_PATH, GITHUB_OUTPUT, RUNNER_TEMP, RUNNER_OS. From action.yml:
# INPUT_PYTHON (empty: the newest that runs), INPUT_REPORT (true: with what draws reports).
set -euo pipefail

fail() {
    echo "::error title=Lastgood could not be installed::$1"
    exit 1
}

[ "${RUNNER_OS:-}" != Windows ] || fail "Use a Linux or macOS runner: runs-on: ubuntu-24.04"
# Another step of the job may use the action at another commit.
home="$RUNNER_TEMP/lastgood-$(printf '%s' "$GITHUB_ACTION_PATH" | cksum | cut -d ' ' -f 1)"
requirements=run
[ "$INPUT_REPORT" != true ] || requirements=plots
echo "command=$home/bin/lastgood" >>"$GITHUB_OUTPUT"
if [ -e "$home/installed-$requirements" ]; then
    echo "Lastgood is installed already."
    exit 0
fi

python=$INPUT_PYTHON
[ -n "$python" ] || python=$(sh "$GITHUB_ACTION_PATH/scripts/find-python") ||
    fail "It needs Python 3.13, 3.12 or 3.11: add a step with actions/setup-python before it."
echo "::group::Install Lastgood with $("$python" --version)"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
rm -rf "$home"
"$python" -m venv "$home/build"
"$python" -m venv --without-pip "$home"
pip=("$home/build/bin/python" -m pip)
"${pip[@]}" install --quiet -r "$GITHUB_ACTION_PATH/requirements/build.txt"
"${pip[@]}" --python "$home/bin/python" install --quiet \
    -r "$GITHUB_ACTION_PATH/requirements/$requirements.txt"
(cd "$GITHUB_ACTION_PATH" && "$home/build/bin/python" -m hatchling build -t wheel -d "$home/wheel")
# Our own wheel has no hash to check: it was made one line above.
PIP_REQUIRE_HASHES=0 "${pip[@]}" --python "$home/bin/python" install --quiet --no-deps "$home"/wheel/*.whl
"$home/bin/lastgood" --version
touch "$home/installed-$requirements"
echo "::endgroup::"
