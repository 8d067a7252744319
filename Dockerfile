# One image for migrate, worker, beat and web; docker-compose.yml gives each its command.
# The first stage installs, the second only holds the result: no compiler, no pip cache.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/aftercare
COPY requirements/runtime.txt requirements/build.txt requirements/
# Wheels with the locked hashes and nothing else: no code of a package runs while installing it.
RUN /opt/aftercare/bin/pip install --only-binary :all: --require-hashes -r requirements/runtime.txt
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --only-binary :all: --require-hashes -r requirements/build.txt
COPY . .
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/aftercare/bin/pip install --no-deps /dist/*.whl \
 && /opt/aftercare/bin/pip uninstall --yes pip

FROM python:3.13-slim
# A number rather than a name, so that a cluster can check that it is not root.
RUN groupadd --gid 10001 aftercare \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin aftercare
COPY --from=build /opt/aftercare /opt/aftercare
ENV PATH=/opt/aftercare/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["aftercare"]
CMD ["--help"]
# No HEALTHCHECK: each service has its own, in docker-compose.yml.
