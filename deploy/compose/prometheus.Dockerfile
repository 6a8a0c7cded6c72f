# Prometheus as Debian packages it, for deploy/compose/compose.yaml where no registry is reached.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/apt /var/log/dpkg.log \
 && install -d -o 65534 -g 65534 -m 0700 /prometheus
EXPOSE 9090/tcp
VOLUME ["/prometheus"]
# "nobody", like the project's own image, so that either can use the volume.
USER 65534:65534
STOPSIGNAL SIGTERM
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
