"""A program that fetches pages, unmodified: it goes by the proxy that its environment names.

python provider.py &
clearance run -- python egress.py
"""

import urllib.request
from urllib.error import HTTPError, URLError


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=20) as page:
            return page.read().decode().strip()
    except HTTPError as refused:  # plain HTTP: the proxy's own words
        return f"refused [{refused.headers['clearance-reason']}]: {refused.read().decode().strip()}"
    except URLError as refused:  # TLS: the proxy opened no tunnel
        return f"refused: {refused.reason}"


if __name__ == "__main__":
    for url in (
        "http://127.0.0.2:9700/rates",
        "http://elsewhere.example/steal?what=rates",
        "https://pypi.org/",
    ):
        print(url, "->", fetch(url))
