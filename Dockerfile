# A worker: docker build -t rheo . && docker run --rm rheo --help
# No compiler is needed: Node strips the types. Runs as the user `node`, on a read-only root, and writes to /var/lib/rheo only.

FROM node:24.21.0-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24.21.0-slim
ENV NODE_ENV=production RHEO_STATE=/var/lib/rheo RHEO_HTTP_HOST=0.0.0.0 RHEO_HTTP_PORT=9464
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY schemas schemas
COPY processors processors
COPY gpu gpu
COPY streams streams
COPY scenarios scenarios
COPY cli cli
RUN mkdir -p /var/lib/rheo && chown node:node /var/lib/rheo
USER node
VOLUME /var/lib/rheo
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "cli/rheo.mjs"]
CMD ["run", "fraud"]
