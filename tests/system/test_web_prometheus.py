"""A real Prometheus scrapes an exporter behind TLS, client certificates and a password."""

import shutil
import subprocess
from pathlib import Path

import bcrypt
import pytest

from testbed.control import Loopback
from tests.system.scraper import Scraper
from tests.system.serving import Serving
from tests.unit.certificates import Authority


def test_prometheus_and_we_read_the_same_web_configuration(world: Loopback, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.sign("server")
    authority.sign("prometheus")
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yml"
    web.write_text(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
        "  min_version: TLS12\n"
        f"basic_auth_users:\n  scraper: {hashed}\n"
        "http_server_config:\n  headers: {X-Frame-Options: deny}\n"
    )
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    subprocess.run([promtool, "check", "web-config", str(web)], timeout=60, check=True)
    with Serving(world, tmp_path, metrics={"web_config": "web.yml"}) as serving:
        url = serving.ask_control("status")["metrics"]
        assert url.startswith("https://")
        tls = {
            "ca_file": str(tmp_path / "ca.pem"),
            "cert_file": str(tmp_path / "prometheus.crt"),
            "key_file": str(tmp_path / "prometheus.key"),
        }
        user = {"username": "scraper", "password": "secret"}
        with Scraper(tmp_path, url, scheme="https", tls_config=tls, basic_auth=user) as seeing:
            seeing.until(lambda: seeing.value("up") == 1, "scrape")
            assert seeing.value("sum(inland_policy_info)") == 1
