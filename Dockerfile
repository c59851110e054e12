# Two stages: the first has compilers, the second only what runs. Build: docker build -t stopgate .
FROM rust:1.95-slim-bookworm AS rust

FROM python:3.12-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/app/.venv/bin:$PATH
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project
COPY engine engine
RUN uv tool run maturin==1.16.0 build --release --locked -m engine/Cargo.toml -o /wheels && uv pip install --no-deps /wheels/*.whl
COPY gateway gateway
COPY detectors detectors
COPY dashboard dashboard
RUN uv sync --frozen --no-dev --inexact --no-editable

FROM python:3.12-slim-bookworm
RUN groupadd --system --gid 10001 stopgate && useradd --system --uid 10001 --gid stopgate --no-create-home stopgate \
    && install -d -o stopgate -g stopgate -m 0700 /data
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 STOPGATE_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
EXPOSE 8080 8081
ENTRYPOINT ["stopgate"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
