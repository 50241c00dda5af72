# The server with the models of this checkout.
#   docker build --tag sfumato .                      CPU
#   docker build --tag sfumato:gpu --build-arg GPU=1 .  with CUDA and cuDNN
# See docs/docker.md, also for how to pin the base image by its digest.

ARG BASE=python:3.13-slim
FROM $BASE AS build
ARG GPU=0
WORKDIR /build
RUN python -m venv --without-pip /venv
# First what we depend on, with an empty package: a layer that lasts until the versions change.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sfumato/__init__.py sfumato/
RUN if [ "$GPU" = 1 ]; then extras=serving,tracing,gpu; else extras=serving,tracing; fi \
    && python -m pip --python /venv/bin/python install --no-cache-dir --constraint constraints.txt ".[$extras]"
COPY sfumato sfumato
RUN python -m pip --python /venv/bin/python install --no-cache-dir --no-deps --force-reinstall .
WORKDIR /app
COPY LICENSE ./
COPY protos protos
COPY serving serving
COPY models models
# A checkout made under umask 077 gives files that only their owner may read, and a COPY keeps that.
RUN chmod -R u=rwX,go=rX /app /venv

FROM $BASE
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SFUMATO_HOST=0.0.0.0 \
    SFUMATO_MODELS=/app/models
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app ./
USER 10001:10001
EXPOSE 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "sfumato", "health", "--timeout", "4"]
ENTRYPOINT ["python", "-m", "serving"]
