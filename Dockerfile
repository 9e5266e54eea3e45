# The worker's image (the default target), and the sandbox's: docker build --target sandbox .
#
# The base is pinned by its exact tag. To pin what the tag means as well, append its digest
# (FROM python:TAG@sha256:DIGEST), looked up where a registry can be reached:
#   docker buildx imagetools inspect python:3.13.16-slim-trixie --format '{{.Manifest.Digest}}'

FROM python:3.13.16-slim-trixie AS base
ENV PATH=/opt/lastgood/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 lastgood \
    && useradd --uid 10001 --gid lastgood --home-dir /app --shell /usr/sbin/nologin lastgood
WORKDIR /app


# Everything below is checked against the hashes in requirements/; nothing is built but our wheel.
FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_REQUIRE_HASHES=1
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install -r requirements/build.txt \
    && python -m venv --without-pip /opt/lastgood \
    && /opt/build/bin/pip --python /opt/lastgood/bin/python install -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY lastgood/ lastgood/
# Our own wheel has no hash to check: it was made one line above from what lies here.
RUN /opt/build/bin/python -m hatchling build -t wheel -d /opt/wheel \
    && PIP_REQUIRE_HASHES=0 /opt/build/bin/pip --python /opt/lastgood/bin/python \
        install --no-deps /opt/wheel/*.whl


FROM base AS build-sandbox
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_REQUIRE_HASHES=1
COPY requirements/sandbox.txt requirements/
RUN python -m venv --without-pip /opt/lastgood \
    && pip --python /opt/lastgood/bin/python install -r requirements/sandbox.txt


# An AWS on loopback, to try things on. Nothing of ours but the sandbox is in it.
FROM base AS sandbox
COPY --from=build-sandbox /opt/lastgood /opt/lastgood
COPY sandbox/ sandbox/
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["python", "-m", "sandbox"]


FROM base AS worker
COPY --from=build /opt/lastgood /opt/lastgood
COPY workflows/ workflows/
COPY activities/ activities/
COPY worker.py ./
USER 10001:10001
STOPSIGNAL SIGTERM
# No ENTRYPOINT, so that the command line is at hand too: docker run IMAGE lastgood --help
CMD ["python", "worker.py"]
