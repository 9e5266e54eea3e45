"""Every place where the sandbox reaches into moto (CloudWatch's are in `cloudwatch/`).

moto's internals are private. `ecs`, `ecr`, `elb` and `ses` replace some of its methods, `records`
reads what it keeps, and `expected` compares moto with what these rely on: a test calls it, so that
a new moto that differs fails with the name that is gone.
"""

from sandbox.cloud.moto_seams.ecr import install_ecr
from sandbox.cloud.moto_seams.ecs import Operation, install_ecs
from sandbox.cloud.moto_seams.elb import install_elb
from sandbox.cloud.moto_seams.records import Moto
from sandbox.cloud.moto_seams.ses import install_ses

__all__ = ["Moto", "Operation", "install_ecr", "install_ecs", "install_elb", "install_ses"]
