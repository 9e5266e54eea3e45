"""action.yml, its scripts, and the example workflow that uses it: linters, and our own checks."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lastgood.model import EXIT_CODES
from tests.house.test_workflows_files import ACTIONS, endless_jobs, jobs, steps
from tests.house.tracked import ROOT

BIN = Path(sys.executable).parent
EXAMPLE_PATH, ROLES_PATH = "docs/examples/github/release.yml", "docs/examples/github/roles.yml"
ACTION, EXAMPLE = (ROOT / "action.yml").read_text(), (ROOT / EXAMPLE_PATH).read_text()
SCRIPTS = sorted((ROOT / "scripts/github").glob("*.sh"))

OTHERS = {
    "actions/upload-artifact": "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1",
    "aws-actions/configure-aws-credentials": "e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3",
    "aws-actions/amazon-ecr-login": "f2e9fc6c2b355c1890b65e6f6f0e2ac3e6e22f78 # v2.1.2",
    "docker/setup-buildx-action": "bb05f3f5519dd87d3ba754cc423b652a5edd6d2c # v4.2.0",
    "docker/build-push-action": "53b7df96c91f9c12dcc8a07bcb9ccacbed38856a # v7.3.0",
    "your-org/lastgood": f"{'0' * 40} # v0.1.0",
}
"""What they use beside ours; GitHub's, AWS's and Docker's own, as public repositories pin them."""


def loose(text: str) -> Iterator[str]:
    known = {f"{name}@{commit}" for name, commit in {**ACTIONS, **OTHERS}.items()}
    yield from (use for use in re.findall(r"uses: *(.*)", text) if use not in known)


def accepted(*command: str | Path) -> bool:
    env = {"PATH": "/usr/bin:/bin", "HOME": os.devnull}
    return subprocess.run(command, env=env, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("using: composite", "using: komposite", False),
        ("      shell: bash\n", "", False),
        ("description: The policy file.", "describes: The policy file.", False),
    ],
)
def test_the_schema_of_actions(tmp_path: Path, old: str, new: str, good: bool) -> None:
    assert old in ACTION
    copy = tmp_path / "action.yml"
    copy.write_text(ACTION.replace(old, new) if old else ACTION)
    command = (BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", copy)
    assert accepted(*command) is good


@pytest.mark.parametrize(
    ("path", "old", "new", "good"),
    [
        ("action.yml", "", "", True),
        ("action.yml", "@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1", "@v7", False),
        ("action.yml", 'run: exec "$G', "run: echo ${{ inputs.image }} # ", False),
        (EXAMPLE_PATH, "", "", True),
        (EXAMPLE_PATH, "@f2e9fc6c2b355c1890b65e6f6f0e2ac3e6e22f78 # v2.1.2", "@v2", False),
        (EXAMPLE_PATH, 'text="$GITHUB_REPOSITORY', 'text="${{ github.head_ref }}', False),
        (EXAMPLE_PATH, "permissions: {} # each job says what it needs\n", "", False),
    ],
)
def test_zizmor_finds_nothing(tmp_path: Path, path: str, old: str, new: str, good: bool) -> None:
    text = (ROOT / path).read_text()
    assert old in text
    copy = tmp_path / (path if path == "action.yml" else f".github/workflows/{Path(path).name}")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text.replace(old, new) if old else text)
    command = (BIN / "zizmor", "--offline", "--no-progress", "--persona", "pedantic", copy)
    assert accepted(*command) is good


def test_the_example_passes_the_schema_of_workflows() -> None:
    schema = ("--builtin-schema", "vendor.github-workflows")
    assert accepted(BIN / "check-jsonschema", *schema, ROOT / EXAMPLE_PATH)


def test_what_is_used_is_pinned_and_each_job_may_do_little() -> None:
    assert [*loose(ACTION), *loose(EXAMPLE)] == []
    assert list(loose(EXAMPLE.replace("# v6.2.3", "# v6"))) != []
    assert list(endless_jobs(EXAMPLE)) == []
    workflow = yaml.safe_load(EXAMPLE)
    assert {name: job["permissions"] for name, job in workflow["jobs"].items()} == {
        "test": {"contents": "read"},
        "build": {"contents": "read", "id-token": "write"},
        "release": {"contents": "read"},
        "notify": {},
    }
    assert workflow["concurrency"]["cancel-in-progress"] is False
    reads_secrets = {name for name, job in jobs(EXAMPLE).items() if "secrets." in str(job)}
    assert reads_secrets == {name for name, job in jobs(EXAMPLE).items() if "environment" in job}


def test_the_example_uses_what_the_action_has() -> None:
    action = yaml.safe_load(ACTION)
    [step] = [one for one in steps(EXAMPLE) if "/lastgood@" in one.get("uses", "")]
    assert set(step["with"]) <= set(action["inputs"])
    wanted = set(re.findall(r"steps\.lastgood\.outputs\.([\w-]+)", EXAMPLE))
    assert wanted <= set(action["outputs"])


@pytest.mark.parametrize(
    ("outcome", "release", "runs"),
    [
        ("healthy", "r1", False),
        ("rolled_back", "r1", False),
        ("refused", "r1", False),  # after it was accepted: people were told
        ("refused", "", True),  # at the door
        ("", "r1", True),
        ("", "", True),
    ],
)
def test_the_example_says_what_lastgood_could_not_say(
    outcome: str, release: str, runs: bool
) -> None:
    condition = str(jobs(EXAMPLE)["notify"]["if"]).removeprefix("${{").removesuffix("}}")
    python = condition.replace("always()", "True").replace("&&", "and").replace("||", "or")
    for name, value in (("outcome", outcome), ("release", release)):
        python = python.replace(f"needs.release.outputs.{name}", repr(value))
    assert re.fullmatch(r"[\w '()=]*", python)
    assert eval(python) is runs


def test_a_second_release_of_a_job_does_not_keep_the_firsts_report(tmp_path: Path) -> None:
    page = tmp_path / "lastgood-report.html"
    page.write_text("of the first one")
    names = ("IMAGE", "TASK_DEFINITION", "RELEASE", "FORCE")
    env = {f"INPUT_{name}": "" for name in names} | {
        "PATH": os.environ["PATH"],
        "COMMAND": "true",
        "INPUT_POLICY": "lastgood.yaml",
        "INPUT_REPORT": "true",
        "RUNNER_TEMP": str(tmp_path),
    }
    subprocess.run(["bash", ROOT / "scripts/github/deploy.sh"], env=env, check=True)
    assert not page.exists(), "refused, it wrote none"


def test_the_page_says_all_inputs_outputs_outcomes_and_exit_codes() -> None:
    page, action = (ROOT / "docs/github-actions.md").read_text(), yaml.safe_load(ACTION)
    for name in (*action["inputs"], *action["outputs"]):
        assert f"\n| `{name}` |" in page
    for outcome, code in EXIT_CODES.items():
        assert f"\n| `{code}` | `{outcome.value}` |" in page
        assert outcome.value in action["outputs"]["outcome"]["description"]
    assert list(loose(page.replace("# a commit of your copy", "# v0.1.0"))) == []
    for block in re.findall(r"```yaml\n(.*?)```", page, re.S):
        assert yaml.safe_load(block)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_its_scripts_pass_shellcheck_and_can_be_run(script: Path) -> None:
    assert subprocess.run([BIN / "shellcheck", script], check=False).returncode == 0
    assert os.access(script, os.X_OK)
    # exec: the runner signals the process that it started, and no other one.
    assert f'run: exec "$GITHUB_ACTION_PATH/{script.relative_to(ROOT)}"\n' in ACTION


def test_what_the_example_runs_passes_shellcheck() -> None:
    for step in steps(EXAMPLE):
        subprocess.run(
            [BIN / "shellcheck", "--shell=bash", "--severity=info", "-"],
            input=step.get("run", "true"),
            text=True,
            check=True,
        )


# --- The example's own scripts, run ------------------------------------------------------------

NEEDS = [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]


def script(name: str) -> str:
    [step] = [one for one in steps(EXAMPLE) if one.get("name") == name]
    return str(step["run"])


def run(text: str, **env: str) -> None:
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text]
    subprocess.run(command, env={"PATH": os.environ["PATH"], **env}, check=True, timeout=60)


def test_the_image_is_named_by_its_digest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    digest = f"sha256:{'a' * 64}"
    where = {"REGISTRY": "123.dkr.ecr.eu-west-1.amazonaws.com", "REPOSITORY": "shop"}
    run(
        script("The image by its digest, which nobody can move"),
        GITHUB_OUTPUT=str(out),
        DIGEST=digest,
        **where,
    )
    assert out.read_text() == f"image={where['REGISTRY']}/shop@{digest}\n"


@pytest.mark.skipif(bool(NEEDS), reason=f"not on this machine: {NEEDS}")
@pytest.mark.parametrize("release", ["", "gh-7-1-x"])
def test_one_line_says_what_lastgood_could_not_say(release: str) -> None:
    got: list[dict[str, str]] = []

    class Slack(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Slack) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        run(
            script("One line to Slack"),
            GITHUB_REPOSITORY="servio/shop",
            GITHUB_SHA="0123456789abcdef",
            GITHUB_SERVER_URL="https://github.example.com",
            GITHUB_RUN_ID="7",
            TEST="success",
            BUILD='a "quoted" failure',
            RELEASE="skipped",
            ID=release,
            SLACK_WEBHOOK_URL=f"http://127.0.0.1:{server.server_port}/hook",
        )
        thread.join(timeout=30)
    [said] = got
    text = said["text"]
    begin = 'servio/shop: no release of 0123456 (test success, build a "quoted" failure, release'
    assert text.startswith(begin)
    assert text.endswith("https://github.example.com/servio/shop/actions/runs/7")
    assert (f"Release {release} goes on without its job" in text) is bool(release)


# --- The roles ---------------------------------------------------------------------------------


class _Template(yaml.SafeLoader):
    """CloudFormation's short forms as their text."""


def _short(loader: yaml.SafeLoader, tag: str, node: Any) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else tag


_Template.add_multi_constructor("!", _short)


def role(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, _Template)
    properties: dict[str, Any] = found["Resources"]["PushRole"]["Properties"]
    return properties


def test_the_roles_pass_cfn_lint() -> None:
    command = (BIN / "cfn-lint", "--include-checks", "I", "--", ROOT / ROLES_PATH)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_only_one_branch_of_one_repository_becomes_the_role_and_it_may_push_only() -> None:
    properties = role((ROOT / ROLES_PATH).read_text())
    [trust] = properties["AssumeRolePolicyDocument"]["Statement"]
    equals = trust["Condition"]["StringEquals"]
    assert set(trust["Condition"]) == {"StringEquals"}, "no pattern"
    issuer = "token.actions.githubusercontent.com"
    assert equals[f"{issuer}:sub"] == "repo:${Repository}:ref:refs/heads/${Branch}"
    assert equals[f"{issuer}:aud"] == "sts.amazonaws.com"
    [policy] = properties["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert "*" not in str(statement["Action"])
        anything = statement["Resource"] == "*"
        assert anything == (statement["Action"] == "ecr:GetAuthorizationToken")
