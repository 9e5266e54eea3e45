"""Take the pictures of docs/report.md: a real release's report, light, dark and on a phone.

Run it with `make screenshots`. It releases an image that turns bad after some seconds against the
sandbox, has `lastgood report` write the page, and looks at it with a headless Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox.scenarios.demo.__main__ import GOOD, Demo
from sandbox.scenarios.demo.parts import BIN

TARGET = Path(__file__).resolve().parents[1] / "docs"
BAD = "shop:3.0-degrades-12s"
BASELINE = 20
"""Seconds of traffic before the releases."""
POLICY = """\
service: {service}
region: us-east-1
deploy: {{timeout: 60s}}
smoke: [{{url: {url}/health}}]
monitor: {{window: 30s, interval: 1s}}
triggers:
  - {{type: error-rate, threshold: 5%, duration: 5s, message: Error rate exceeded threshold}}
  - {{type: response-time, threshold: 1000ms, duration: 5s}}
  - {{type: health-check, url: {url}/health, threshold: 12}}
  - {{type: regression, period: 1s, burst: 2s, baseline_for: 1m, dry_run: true}}
notify:
  slack: {{webhook_url: env:SLACK_WEBHOOK_URL}}
"""
SHOTS = (
    ("report-light", 860, 1180, "light", 1.0),
    ("report-dark", 860, 1180, "dark", 1.0),
    ("report-phone", 375, 1000, "dark", 1.5),
)
"""Name, width, height, scheme, and pixels for each CSS pixel."""


def page(demo: Demo, file: Path) -> int:
    """Make the releases, and have the bad one's report written."""
    policy = POLICY.format(service=demo.shop.name, url=demo.shop.url)
    (demo.folder / "lastgood.yaml").write_text(policy)
    time.sleep(BASELINE)
    demo.release(GOOD, "2.0")
    code, _ = demo.release(BAD, "3.0")
    if code != 10:
        sys.stderr.write(f"The bad release ended with exit code {code}, not 10.\n")
        return 1
    command = ["report", "3.0", "--service", demo.shop.name, "--region", "us-east-1"]
    written = subprocess.run(
        [str(BIN / "lastgood"), *command, "--out", str(file)], env=demo.environment, check=False
    )
    return written.returncode


def look(file: Path) -> None:
    """Take the pictures."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        chromium = playwright.chromium.launch(executable_path=browser, args=flags)
        for name, width, height, scheme, sharp in SHOTS:
            tab = chromium.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                device_scale_factor=sharp,
            )
            tab.goto(file.as_uri())
            tab.screenshot(path=TARGET / f"{name}.png")
            sys.stdout.write(f"Drew docs/{name}.png\n")
        chromium.close()


def main() -> int:
    """Release, report, look; with a page's file as argument only look."""
    if len(sys.argv) > 1:
        look(Path(sys.argv[1]).resolve())
        return 0
    with ExitStack() as stack:
        demo = Demo(stack)
        file = demo.folder / "report.html"
        code = page(demo, file)
        if code == 0:
            look(file)
    return code


if __name__ == "__main__":
    sys.exit(main())
