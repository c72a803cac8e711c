# breachwatch as an image: no root, no build tools, nothing that writes outside /var/lib/breachwatch and /tmp.
#   docker build --tag breachwatch:local .
# Pin a digest of your own mirror where you have one: --build-arg PYTHON=registry.example/python@sha256:...
# A command without a shell cannot be joined to the next:
# hadolint global ignore=DL3059
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
COPY requirements.lock ./
RUN ["python", "-m", "venv", "/opt/breachwatch"]
RUN ["/opt/breachwatch/bin/python", "-m", "pip", "install", "--require-hashes", "--only-binary=:all:", "--requirement", "requirements.lock"]
COPY pyproject.toml README.md LICENSE ./
COPY breachwatch ./breachwatch
COPY playbooks ./playbooks
COPY topics ./topics
RUN ["/opt/breachwatch/bin/python", "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
RUN ["/opt/breachwatch/bin/python", "-m", "pip", "install", "--no-deps", "--no-index", "--find-links", "dist", "breachwatch"]
RUN ["/opt/breachwatch/bin/python", "-m", "pip", "uninstall", "--yes", "hatchling", "editables", "setuptools", "pip"]

FROM ${PYTHON}
LABEL org.opencontainers.image.title="breachwatch" \
      org.opencontainers.image.description="From a log line to an approved breach notification" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/breachwatch /opt/breachwatch
RUN ["install", "--directory", "--owner=1000", "--group=1000", "--mode=0700", "/var/lib/breachwatch"]
ENV PATH=/opt/breachwatch/bin:/usr/local/bin:/usr/bin:/bin \
    BREACHWATCH_CONFIG=/etc/breachwatch/breachwatch.toml \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp
USER 1000:1000
WORKDIR /var/lib/breachwatch
EXPOSE 8420 8421
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["breachwatch", "health"]
ENTRYPOINT ["breachwatch"]
CMD ["up"]
