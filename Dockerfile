# syntax=docker/dockerfile:1

# --- everything that npm installs, and the chat page that is built from it
# Tags move; what is built is what was tried. For the newest of a tag, here and in deploy/compose.yaml:
#   docker buildx imagetools inspect node:24-bookworm-slim --format '{{.Manifest.Digest}}'
FROM node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts ./scripts
RUN npm ci --ignore-scripts
COPY tsconfig.json config.example.yaml ./
COPY web ./web
COPY packages/client/src ./packages/client/src
COPY src ./src
# What libraries could work with besides, such as other web servers, tests have; nothing here uses it.
RUN npm run build:page && npm prune --omit=dev --legacy-peer-deps --ignore-scripts

# --- what runs: Node reads the TypeScript as it is
FROM node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini espeak-ng ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /app/data /app/logs \
    && chown node:node /app/data /app/logs
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/web/dist ./web/dist
COPY package.json config.example.yaml LICENSE THIRD-PARTY.md README.md ./
COPY bin ./bin
COPY docs ./docs
COPY packages/client/src ./packages/client/src
COPY src ./src
COPY deploy/healthcheck.mjs ./deploy/healthcheck.mjs

# The root may be read-only: nothing is written but these two directories.
VOLUME ["/app/data", "/app/logs"]
ENV HOST=0.0.0.0 \
    PORT=8001 \
    SERVICE_DATA_DIR=/app/data \
    LOGGING_FORMAT=json \
    LOGGING_FILE_PATH=/app/logs/chat-service.log \
    LOGGING_ERROR_FILE_PATH=/app/logs/error.log
EXPOSE 8001
USER node
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD ["node", "deploy/healthcheck.mjs"]
STOPSIGNAL SIGTERM
# The young heap stays small, so that what many connections leave behind does not pile up before it is collected; one
# thread is enough for it.
ENTRYPOINT ["tini", "--", "node", "--max-semi-space-size=16", "--no-parallel-scavenge", "bin/chat-service.mjs"]
CMD ["serve"]
