"""Named patterns of sensitive text, as RE2 source. Data only; `redact` compiles and applies them."""

from __future__ import annotations

# Shapes of credentials as their issuers document them.
_SECRETS = (
    r"\b(?:sk|pk|rk)_(?:live|test)_[0-9A-Za-z]{16,}",  # Stripe
    r"\bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{20,}",  # OpenAI, Anthropic
    r"\bcl[rdts]_[0-9a-z]{8,}_[0-9A-Za-z_-]{20,}",  # Clearance
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS access key id
    r"\bgh[pousr]_[0-9A-Za-z]{36,}",  # GitHub
    r"\bgithub_pat_[0-9A-Za-z_]{50,}",
    r"\bglpat-[0-9A-Za-z_-]{20,}",  # GitLab
    r"\bxox[abprs]-[0-9A-Za-z-]{10,}",  # Slack
    r"\bAIza[0-9A-Za-z_-]{35}\b",  # Google
    r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}",  # JSON Web Token, RFC 7519
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",  # PEM, RFC 7468
    # Credentials in a URL, RFC 3986. Without the scheme: any word of a text that flows might begin with it.
    r"://[^/\s:@]+:[^/\s@]+@",
    r"(?i:\bbearer +)[0-9A-Za-z._~+/-]{16,}=*",  # RFC 6750
    r"(?i:\bauthorization\\?['\"]?[:=] *\\?['\"]?(?:basic|digest|token) +)[^\s'\"\\]{8,}",  # RFC 9110, 11.6.2
    # An assignment, as in a DSN, a query string or a shell line; what was taken out already does not count.
    r"(?i:passw(?:or)?d|pwd|passphrase|secret|token|api[_-]?key|access_key)="
    r"(?:\\?['\"][^'\"\\\[][^'\"\\]{2,}|[^\s'\"&;,\[\\][^\s'\"&;,\\]{3,})",
)

NAMED: dict[str, tuple[str, ...]] = {
    "secret": _SECRETS,
    "email": (r"\b[0-9A-Za-z._%+-]+@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+\b",),
    "iban": (r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?\b",),  # ISO 13616
    "credit_card": (r"\b(?:[0-9][ -]?){12,18}[0-9]\b",),  # ISO/IEC 7812; `redact` checks the Luhn digit
    "ipv4": (r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b",),
}

# An argument of this name, or of a name that ends in it (`db_password`), is never stored, whatever it holds.
SECRET_NAMES = frozenset(
    {
        "access_key",
        "access_token",
        "api_key",
        "api_keys",
        "apikey",
        "auth_token",
        "authorization",
        "client_secret",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "private_key",
        "refresh_token",
        "secret",
        "secret_key",
        "secrets",
        "session_token",
        "token",
    }
)
