"""Policy files: the design's example; and those that are refused, each with its one sentence."""

EXAMPLE = """\
service: servio-production/servio-production   # cluster/service
region: us-east-1
container: app                 # whose image a release replaces; may be left out when there is one
deploy:
  timeout: 5m                  # the rollout must be complete by then
  on_busy: queue               # queue | supersede | reject
smoke:
  - url: https://api.servio.com/health
    expect: {status: 200}
monitor:
  window: 10m
  interval: 10s
  on_inconclusive: hold        # hold | promote | rollback
triggers:                      # left out: the first three, with these thresholds
  - type: error-rate
    threshold: 5%              # a ratio; 0.05 is the same
    duration: 60s
    metric: {namespace: Servio/Production, name: ErrorRate, dimensions: {Service: servio-production}}
    message: Error rate exceeded threshold
  - type: response-time
    threshold: 1000ms
    duration: 60s
    metric: {namespace: Servio/Production, name: ResponseTime, unit: ms, dimensions: {Service: servio-production}}
  - type: health-check
    url: https://api.servio.com/health
    threshold: 3               # consecutive failures
  - type: alarm
    alarm: servio-production-error-rate
rollback:
  enabled: true
  cooldown: 5m
  cooldown_then: rollback      # rollback | hold
  max_rollbacks: 3
  per: 24h
  hold_for: 24h
notify:
  slack: {webhook_url: env:SLACK_WEBHOOK_URL}          # secrets are named here, never written here
  email: {from: deploys@servio.com, to: [oncall@servio.com], via: ses}   # or via: smtp
"""  # noqa: E501 - DESIGN section 6, word for word


def under(section: str, *lines: str) -> str:
    return "\n".join(["service: a/b", f"{section}:", *(f"  {line}" for line in lines)])


REFUSED = {
    "unknown key": (
        under("triggers", "- type: error-rate", "  treshold: 5%"),
        "4: triggers.0.treshold: unknown key; did you mean threshold?",
    ),
    "unknown section": ("service: a/b\nmonitr: {}", "2: monitr: unknown key; did you mean monitor"),
    "nothing like it": ("service: a/b\nxyz: 1", "2: xyz: unknown key; write service, region, "),
    "an alias's field name": (
        under("notify", "email: {from_: a@b, to: [a@b]}"),
        "3: notify.email.from_: unknown key; did you mean from?",
    ),
    "wrong unit": (
        under("monitor", "window: 10 minutes"),
        "3: monitor.window: '10 minutes' is no duration: write 1000ms, 10s, 5m, 24h or 7d",
    ),
    "no unit": (
        under("monitor", "interval: 10"),
        "3: monitor.interval: 10 has no unit: write a duration such as 10s or 5m",
    ),
    "unit of another trigger": (
        under("triggers", "- type: response-time", "  threshold: 5%"),
        "4: triggers.0.threshold: '5%' is no duration",
    ),
    "unit of another metric": (
        under(
            "triggers",
            "- type: error-rate",
            "  metric:",
            "    {namespace: a, name: b,",
            "    unit: ms}",
        ),
        "6: triggers.0.metric.unit: an error rate is measured in ratio or percent",
    ),
    "negative window": (
        under("monitor", "window: -10m"),
        "3: monitor.window: '-10m' is negative: write a duration such as 10s or 5m",
    ),
    "zero window": (
        under("monitor", "window: 0s"),
        "3: monitor.window: 0ms is out of range: write 1s to",
    ),
    "window too long": (under("monitor", "window: 25h"), "3: monitor.window: 1d1h is out of range"),
    "beyond all measure": (
        under("monitor", f"window: {'9' * 400}d"),
        "is too long: write a duration such as 5m",
    ),
    "too fine": (
        under("triggers", "- type: response-time", "  threshold: 1.5ms"),
        "finer than a milli",
    ),
    "ratio of 5": (
        under("triggers", "- type: error-rate", "  threshold: 5"),
        ": 5 is not between 0 % and 100 %",
    ),
    "unknown trigger": (
        under("triggers", "- type: eror-rate"),
        "3: triggers.0.type: unknown trigger; did you mean error-rate? (known: error-rate, "
        "response-time, health-check, alarm, regression, band)",
    ),
    "unknown trigger, like none": (
        under("triggers", "- type: vibes"),
        "3: triggers.0.type: unknown trigger; write error-rate, response-time, health-",
    ),
    "trigger without type": (
        under("triggers", "- threshold: 3"),
        "3: triggers.0.type: missing: add",
    ),
    "missing alarm name": (
        under("triggers", "- type: error-rate", "- type: alarm"),
        "4: triggers.1.alarm: missing: add it (The alarm's name, such as my-alarm)",
    ),
    "empty alarm name": (
        under("triggers", "- type: alarm", "  alarm: ''"),
        "4: triggers.0.alarm: must not be empty",
    ),
    "missing service": ("region: us-east-1", "1: service: missing: add it (CLUSTER/SERVICE, such"),
    "service alone": (
        "service: a",
        "1: service: must name cluster and service: write CLUSTER/SERV",
    ),
    "service from elsewhere": ("service: a/../b", "1: service: must name cluster and service"),
    "a typo in a choice": (
        under("rollback", "cooldown_then: roll-back"),
        "3: rollback.cooldown_then: unknown value; did you mean rollback? (known: rollback, hold)",
    ),
    "no triggers": (
        "service: a/b\ntriggers: []",
        "2: triggers: must not be empty: write at least one",
    ),
    "a trigger that cannot fire": (
        under("triggers", "- type: error-rate", "  duration: 1h"),
        "4: triggers.0.duration: triggers.0.duration (1h) is longer than monitor.window (10m)",
    ),
    "period": (
        under("triggers", "- type: error-rate", "  period: 7s"),
        "4: triggers.0.period: CloudWatch knows 1s, 5s, 10s, 20s, 30s and multiples of 60s",
    ),
    "two sources": (
        under("triggers", "- type: error-rate", "  load_balancer: a"),
        "4: triggers.0.load_balancer: goes with target_group: add target_group",
    ),
    "half a load balancer": (
        under("triggers", "- type: error-rate", "  target_group: a"),
        "4: triggers.0.target_group: goes with load_balancer: add load_balancer",
    ),
    "metric and load balancer": (
        under("triggers", "- type: error-rate", "  target_group: a", "  load_balancer: a")
        + "\n    metric: {namespace: a, name: b}",
        "6: triggers.0.metric: name either metric, or load_balancer and target_group, not both",
    ),
    "period beyond duration": (
        under("triggers", "- type: error-rate", "  period: 2m"),
        "4: triggers.0.period: must not be longer than duration (1m)",
    ),
    "a mail server's password alone": (
        under("notify", "email: {from: a@b, to: [a@b], via: smtp,", "  smtp: {host: h,")
        + "\n    password: env:P}}",
        "5: notify.email.smtp.password: goes with username: add username",
    ),
    "a password without TLS": (
        under("notify", "email: {from: a@b, to: [a@b], via: smtp,", "  smtp: {host: h, tls: none,")
        + "\n    password: env:P, username: env:U}}",
        "4: notify.email.smtp.tls: a password is not sent without TLS: write starttls or implicit",
    ),
    "smtp without a server": (
        under("notify", "email: {from: a@b, to: [a@b], via: smtp}"),
        "3: notify.email.via: smtp needs a mail server: add smtp: {host: ...}",
    ),
    "a server that is not used": (
        under("notify", "email: {from: a@b, to: [a@b], smtp: {host: h}}"),
        "3: notify.email.smtp: is not used, as via is ses: write via: smtp, or leave smtp out",
    ),
    "a list for a mapping": ("service: a/b\ndeploy: [1]", "2: deploy: must be a mapping"),
    "a mapping for a list": ("service: a/b\nsmoke: {url: x}", "2: smoke: must be a list"),
    "number for text": (
        "service: a/b\ncontainer: 1",
        "2: container: must be text: put it in quotes",
    ),
    "text for a number": (
        under("rollback", "max_rollbacks: '3'"),
        "must be a whole number such as 3",
    ),
    "text for a boolean": (
        under("rollback", "enabled: 'yes'"),
        "must be true or false, without quot",
    ),
    "a boolean for a number": (under("rollback", "max_rollbacks: true"), "must be a whole number"),
    "too many": (
        under("rollback", "max_rollbacks: 51"),
        "3: rollback.max_rollbacks: must be at mo",
    ),
    "a surrogate": (
        under("triggers", "- type: alarm", '  alarm: "\\ud800"'),
        "that UTF-8 can hold",
    ),
    "a terminal's escape": (
        under("triggers", "- type: alarm", '  alarm: "\\e[31m"'),
        "4: triggers.0.alarm: must not contain line breaks or control characters",
    ),
    "a freeze without zone": (
        under("deploy", "freeze:", '  - {days: [fri], from: "16:00"}'),
        "4: deploy.freeze.0.zone: missing: add it (The IANA name of the time zone, such as Europe",
    ),
    "a zone that is none": (
        under("deploy", "freeze:", "  - zone: Europe/Berln"),
        "4: deploy.freeze.0.zone: unknown time zone; did you mean Europe/Berlin",
    ),
    "a city for a zone": (
        under("deploy", "freeze:", "  - reason: x", "    zone: berlin"),
        "5: deploy.freeze.0.zone: unknown time zone; did you mean Europe/Berlin?",
    ),
    "a zone like none": (
        under("deploy", "freeze:", "  - zone: XQZ9"),
        "4: deploy.freeze.0.zone: unknown time zone; write one such as Europe/Berlin or UTC",
    ),
    "a zone that is a path": (
        under("deploy", "freeze:", "  - zone: ../etc/passwd"),
        "4: deploy.freeze.0.zone: must be a time zone's name: write one such as Europe/Berlin",
    ),
    "a day in full": (
        under("deploy", "freeze:", "  - {days: [fri, sunday], zone: UTC}"),
        "4: deploy.freeze.0.days.1: unknown value; did you mean sun? (known: mon, tue, wed, thu,",
    ),
    "no days": (
        under("deploy", "freeze:", "  - {days: [], zone: UTC}"),
        "4: deploy.freeze.0.days: must not be empty: write at least one, or leave the key out",
    ),
    "a time without quotes": (
        under("deploy", "freeze:", "  - {from: 16:00, zone: UTC}"),
        "4: deploy.freeze.0.from: some readers take this for a number: put it in quotes",
    ),
    "a time beyond the day": (
        under("deploy", "freeze:", '  - {to: "24:01", zone: UTC}'),
        '4: deploy.freeze.0.to: write hours and minutes, such as "17:30"; "24:00" is the day\'s',
    ),
    "a beginning at the day's end": (
        under("deploy", "freeze:", '  - {from: "24:00", zone: UTC}'),
        '4: deploy.freeze.0.from: write hours and minutes, such as "08:30"',
    ),
    "a freeze of no time": (
        under("deploy", "freeze:", '  - {from: "08:00", to: "08:00", zone: UTC}'),
        "4: deploy.freeze.0.to: is the same as from: leave both out for the whole day",
    ),
    "too many freezes": (
        under("deploy", "freeze:", *["  - zone: UTC"] * 21),
        "3: deploy.freeze: must be at most 20 items",
    ),
    "empty file": ("", "the file is empty: `lastgood policy init` writes a first one"),
    "comments alone": ("# service: a/b\n", "the file is empty"),
    "not a mapping": ("- service", "1: must be a mapping: begin with service: CLUSTER/SERVICE"),
    "empty value": (
        "service: a/b\nregion:\n",
        "2: region: has no value: write one, or leave the key",
    ),
    "duplicate key": (
        "service: a/b\nregion: us-east-1\nregion: eu-west-1",
        "3: region: duplicate key, first on line 2: keep one of them",
    ),
    "anchor": ("service: &x a/b", "1: service: anchors (&) are not allowed: write the value out"),
    "alias": ("service: a/b\nregion: *x", "2: region: aliases (*) are not allowed"),
    "merge key": ("service: a/b\n<<: {region: x}", "2: merge keys (<<) are not allowed"),
    "tag": ("service: !!str a/b", "1: service: tags (!) are not allowed: leave them out"),
    "python tag": ("service: !!python/object/apply:os.system [ls]", "1: service: tags (!) are not"),
    "tag without handle": ("service: !x!y a/b", "1: tags (!) are not allowed"),
    "directive": ("%YAML 1.1\n---\nservice: a/b", "1: directives (%) are not allowed"),
    "two documents": ("service: a/b\n---\nservice: c/d", "2: a second document begins"),
    "number as key": ("service: a/b\n1: 2", "2: a key must be text: put it in quotes"),
    "on as key": ("service: a/b\non: 2", "2: a key must be text: put it in quotes"),
    "list as key": ("service: a/b\n? [a]\n: 2", "2: a key must be text, not a list or a mapping"),
    "syntax": ("service: a: b", "1: not valid YAML: put a value that contains ': ' in quotes"),
    "tabs": ("service: a/b\ndeploy:\n\ttimeout: 5m", "3: not valid YAML: indent with spaces, not"),
    "NUL": ("service: a/b\nregion: \x00", "2: a control character: take it out"),
    "escape out of range": ('service: "\\UFFFFFFFF"', "1: not valid YAML: an escape or number"),
    "1 MB of nesting": ("[" * 1_000_000, "the file is larger than 64 KiB: a policy is short"),
    "64 KiB of nesting": ("service: " + "[" * 60_000, "1: nested more than 32 levels deep"),
    "nesting by lines": ("? " * 40, "1: nested more than 32 levels deep"),
}
