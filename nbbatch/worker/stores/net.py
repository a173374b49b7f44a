"""One HTTP connection, with the environment's proxies and certificates."""

from __future__ import annotations

import base64
import functools
import http.client
import os
import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit


class Link(NamedTuple):
    """A connection, and what a request over it needs in addition."""

    connection: http.client.HTTPConnection
    #: Stands before the path where a proxy wants the whole address.
    prefix: str
    headers: dict[str, str]


def connect(origin: str, timeout: float, *, direct: bool = False) -> Link:
    """Prepare a connection to `origin` (``https://host:port``); it opens with the first request.

    Parameters
    ----------
    direct
        Pass any proxy by: what is on the link-local network is not behind one.
    """
    url = urlsplit(origin)
    proxy = urlsplit("" if direct else _proxy(url))
    host, port = url.hostname or "", url.port
    if not proxy.hostname:
        return Link(_plain_or_tls(url.scheme, (host, port), timeout), "", {})
    through = _plain_or_tls(url.scheme, (proxy.hostname, proxy.port or 80), timeout)
    if url.scheme == "https":
        through.set_tunnel(host, port or 443, headers=_authorization(proxy))
        return Link(through, "", {})
    return Link(through, origin, _authorization(proxy))


def _plain_or_tls(
    scheme: str, address: tuple[str, int | None], timeout: float
) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(*address, timeout=timeout, context=_tls())
    return http.client.HTTPConnection(*address, timeout=timeout)


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)


def _variable(name: str) -> str:
    # HTTP_PROXY in capitals can be set by the caller of a CGI program.
    upper = "" if name == "http_proxy" else os.environ.get(name.upper(), "")
    return os.environ.get(name) or upper


def _proxy(url: SplitResult) -> str:
    host = url.hostname or ""
    for entry in _variable("no_proxy").replace(",", " ").split():
        name = entry.split(":")[0].lstrip(".").lower()
        if entry == "*" or host == name or host.endswith("." + name):
            return ""
    proxy = _variable(url.scheme + "_proxy") or _variable("all_proxy")
    return proxy if "://" in proxy or not proxy else "http://" + proxy


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
