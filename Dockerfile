# syntax=docker/dockerfile:1
#
# The release image: one static binary, certificates, a folder for the store; no shell, not root, and
# without the demo. `--target sample-api` is the API that docker-compose.yml puts behind it.

FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine AS build
WORKDIR /src
RUN apk add --no-cache ca-certificates
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG COMMIT=unknown
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOOS=$TARGETOS GOARCH=$TARGETARCH
RUN go build -trimpath -tags nodemo -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /out/cloakroom ./cmd/cloakroom
RUN go build -trimpath -ldflags "-s -w" -o /out/sampleapi ./cmd/sampleapi
# What scratch lacks: a user, a place for the store, a place for temporary files.
RUN mkdir -p /root-of/etc /root-of/tmp /root-of/var/lib/cloakroom \
 && echo 'cloakroom:x:65532:65532::/var/lib/cloakroom:/sbin/nologin' > /root-of/etc/passwd \
 && chmod 1777 /root-of/tmp && chmod 0700 /root-of/var/lib/cloakroom && chown -R 65532:65532 /root-of/var/lib/cloakroom

FROM scratch AS sample-api
COPY --from=build /root-of/etc /etc
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sampleapi /sampleapi
USER 65532:65532
EXPOSE 9000
ENTRYPOINT ["/sampleapi"]

FROM scratch AS cloakroom
LABEL org.opencontainers.image.title="cloakroom" \
      org.opencontainers.image.description="Stands between a browser app and its APIs, and keeps the tokens" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /root-of /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/cloakroom /cloakroom
USER 65532:65532
WORKDIR /var/lib/cloakroom
VOLUME /var/lib/cloakroom
EXPOSE 8080 9090
# There is no shell and no curl in here. Orchestrators ask GET /healthz and /readyz on admin_listen;
# where a command is wanted, `/cloakroom check` tries the provider, the store and the upstreams.
ENTRYPOINT ["/cloakroom"]
CMD ["serve", "--config", "/etc/cloakroom/cloakroom.yaml"]
