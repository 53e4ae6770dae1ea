# Lockstep as an image: docker build -t lockstep .
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json tsconfig.base.json turbo.json ./
COPY packages packages
RUN npm ci --ignore-scripts && npx tsc -b packages/lockstep && node packages/lockstep/bundle.mjs && mkdir /packs \
 && npm pack --pack-destination /packs -w packages/core -w packages/engine-mysql -w packages/engine-postgres -w packages/log-kafka \
      -w packages/log-embedded -w packages/pipeline -w packages/lockstep

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /packs /packs
RUN npm install --omit=dev --ignore-scripts --no-audit --no-fund /packs/*.tgz && rm -r /packs \
 && mkdir -p /var/lib/lockstep && chown node:node /var/lib/lockstep
USER node
VOLUME /var/lib/lockstep
EXPOSE 8642
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8642/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/app/node_modules/.bin/lockstep"]
CMD ["run", "-c", "/etc/lockstep/lockstep.yaml"]
