# syntax=docker/dockerfile:1
# One image per program: docker build --target edge (worker, simulator). Each holds the production packages of its own
# workspace, so the voice engine under the GPL is in the simulator's image alone. Programs run from their TypeScript.
ARG NODE_VERSION=22.23.3

FROM node:${NODE_VERSION}-bookworm-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/protocol/package.json packages/protocol/
COPY packages/core/package.json packages/core/
COPY packages/client/package.json packages/client/
COPY apps/edge/package.json apps/edge/
COPY apps/worker/package.json apps/worker/
COPY apps/simulator/package.json apps/simulator/

FROM manifests AS edge-packages
RUN ["npm", "ci", "--omit=dev", "--ignore-scripts", "--workspace=@tts-labs/edge"]

# The page's scripts are built here, by esbuild, which the edge's own image does not have.
FROM manifests AS edge-page
RUN ["npm", "ci", "--ignore-scripts", "--workspace=@tts-labs/edge"]
COPY packages/protocol packages/protocol
COPY packages/client packages/client
COPY apps/edge apps/edge
RUN ["node", "apps/edge/src/http/page-bundle.ts"]

FROM manifests AS worker-packages
RUN ["npm", "ci", "--omit=dev", "--ignore-scripts", "--workspace=@tts-labs/worker"]

FROM manifests AS simulator-packages
RUN ["npm", "ci", "--omit=dev", "--ignore-scripts", "--workspace=@tts-labs/simulator"]

FROM node:${NODE_VERSION}-bookworm-slim AS program
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="tts-labs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production TTS_COMMIT=${COMMIT}
WORKDIR /app
COPY package.json ./
COPY packages/protocol packages/protocol
COPY packages/core packages/core

FROM program AS edge
COPY apps/edge apps/edge
COPY --from=edge-page /app/apps/edge/dist apps/edge/dist
COPY --from=edge-packages /app/node_modules node_modules
ENV HOST=0.0.0.0 OPS_HOST=0.0.0.0
USER 1000:1000
EXPOSE 8006 8005
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:8006/healthz').then((it) => process.exit(it.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/edge/src/main.ts"]

FROM program AS worker
COPY apps/worker apps/worker
COPY --from=worker-packages /app/node_modules node_modules
ENV WORKER_HOST=0.0.0.0
USER 1000:1000
EXPOSE 8007
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:8007/healthz').then((it) => process.exit(it.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/worker/src/main.ts"]

FROM program AS simulator
LABEL org.opencontainers.image.licenses="MIT AND GPL-3.0-or-later"
COPY apps/simulator apps/simulator
COPY --from=simulator-packages /app/node_modules node_modules
ENV SIMULATOR_HOST=0.0.0.0
USER 1000:1000
EXPOSE 8016
HEALTHCHECK --interval=5s --timeout=2s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:8016/healthz').then((it) => process.exit(it.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/simulator/src/main.ts"]
