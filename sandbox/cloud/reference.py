"""The control API's reference, for `--help`; what answers is in `control`."""

REFERENCE = """\
  GET    /sandbox/truth?cluster=C&service=S   processes, versions, health, deployments, timeline;
                                              production: each revision's share of the traffic
  GET    /sandbox/listeners                   the URL of every load balancer's listener
  GET    /sandbox/requests[?action=A]         AWS calls seen, with time, status and effects
  DELETE /sandbox/requests                    forget them
  GET    /sandbox/traffic                     {"rps": overall, "named": {NAME: rps}}
  POST   /sandbox/traffic                     {"rps": 20} or {"rps": 5, "name": LOAD_BALANCER};
                                              a service without load balancer goes by its name
  GET    /sandbox/faults                      faults that are set
  POST   /sandbox/faults                      {"kind": K, "action": "UpdateService", ...}, where
                                              K: delay (seconds), throttle, error, lose_answer,
                                              deny, unsupported (UnsupportedFeatureException),
                                              stale (seconds; DescribeServices only);
                                              times: how often (absent: until cleared),
                                              deny of PassRole: who registers with a role;
                                              skip: how many calls to let through first,
                                              action "*": every call
  DELETE /sandbox/faults                      remove all faults
  GET    /sandbox/mails                       what SES took
  GET    /sandbox/messages                    what SNS took
  POST   /sandbox/kill                        {"task": ARN or id}: SIGKILL to its processes
  POST   /sandbox/rollbacks                   {"cluster": C, "service": S, "fail": true}: its
                                              service deployments that ECS is to roll back end
                                              as ROLLBACK_FAILED, the service as it was
  GET    /sandbox/images                      images with digests, tags and behaviour
  POST   /sandbox/images                      {"image": "shop:1.0", "behaviour": "1.0-errors-1"}:
                                              the tag moves to a new image, or to the one with a
                                              digest that is given for the behaviour
  DELETE /sandbox/images                      {"image": "shop@sha256:…"}: it cannot be pulled
  GET    /sandbox/troubles                    the sandbox's own errors, which should be none"""
