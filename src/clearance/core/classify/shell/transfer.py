"""Commands that carry data between machines: curl, wget, httpie, rsync, scp, sftp."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from clearance.core.classify.found import doing, opaque, thing, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.options import Options, cut
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, Named

_METHODS: dict[str, tuple[str, Operation]] = {
    "GET": ("read+outbound", Operation.READ),
    "HEAD": ("read+outbound", Operation.READ),
    "OPTIONS": ("read+outbound", Operation.READ),
    "POST": ("write+outbound", Operation.SEND),
    "PUT": ("write+outbound", Operation.UPDATE),
    "PATCH": ("write+outbound", Operation.UPDATE),
    "DELETE": ("delete+outbound", Operation.DELETE),
}
_CURL_VALUES_LIST = """
    -X --request -d --data --data-raw --data-binary --data-urlencode --data-ascii --json -F --form
    --form-string -T --upload-file -H --header -o --output -u --user -A --user-agent -e --referer -b
    --cookie -c --cookie-jar -m --max-time --connect-timeout --retry --retry-delay --retry-max-time -x
    --proxy -E --cert --key --cacert --capath -K --config -w --write-out -D --dump-header --url
    --resolve --interface --limit-rate -r --range -C --continue-at -z --time-cond -Q --quote
    --output-dir --oauth2-bearer --trace --trace-ascii --stderr --max-redirs --unix-socket
    --abstract-unix-socket -Y -y --local-port --ciphers --libcurl --engine
"""
_CURL_VALUES = frozenset(_CURL_VALUES_LIST.split())
_CURL_BODY = ("-d", "--data", "--json", "-F", "--form")
_CURL_UNREAD = ("-K", "--config", "-Q", "--quote", "--engine", "--libcurl")
_CURL_FILES = (
    "-o",
    "-c",
    "-D",
    "--output",
    "--cookie-jar",
    "--dump-header",
    "--trace",
    "--trace-ascii",
    "--stderr",
)
_WGET_VALUES_LIST = """
    -O --output-document -o --output-file -a --append-output -P --directory-prefix -t --tries -T
    --timeout -U --user-agent --header --method --body-data --body-file --post-data --post-file --user
    --password -i --input-file -e --execute -Q -w --wait -l --level -A -R -D -X -I --limit-rate
    --ca-certificate --use-askpass --config --referer --load-cookies --save-cookies
"""
_WGET_VALUES = frozenset(_WGET_VALUES_LIST.split())
_REMOTE = re.compile(r"(?:[^/:]+@)?[^/:]+:.*|(?:rsync|scp|sftp|ssh)://.*", re.DOTALL)
_RSYNC_EXEC = (
    "-e",
    "--rsh",
    "--rsync-path",
    "--daemon",
    "--config",
    "--files-from-command",
    "-M",
    "--remote-option",
)
_RSYNC_VALUES_LIST = """
    -e --rsh --rsync-path --exclude --include --exclude-from --include-from --files-from -f --filter
    --bwlimit --timeout --port --log-file --backup-dir --suffix --compare-dest --copy-dest --link-dest
    -T --temp-dir -B -M --max-size --min-size --chmod --chown --password-file --partial-dir
    --remote-option --config
"""
_RSYNC_VALUES = frozenset(_RSYNC_VALUES_LIST.split())


def _curl(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, _CURL_VALUES)
    if options.unsure or options.has(*_CURL_UNREAD):
        return opaque("an option of the request is not known before it runs")
    named = options.value("-X", "--request")
    method = named.plain if named is not None else _curl_method(options)
    targets = [*options.operands, *(value for name, value in options.given if name == "--url" and value)]
    outputs = [
        value
        for name, value in options.given
        if name in _CURL_FILES and value and value.plain not in ("-", "/dev/null")
    ]
    found = _request(method, targets, call)
    body = _curl_method(options)
    if body != "GET" and body != "HEAD":
        found = union(found, doing("write+outbound"))
    if outputs or options.has("-O", "--remote-name", "--remote-name-all", "-J"):
        found = union(
            found, doing("write+delete", *(call.file(value, Operation.DELETE) for value in outputs))
        )
    return found


def _curl_method(options: Options) -> str:
    if any(name.startswith(_CURL_BODY) for name, _ in options.given) and not options.has("-G", "--get"):
        return "POST"
    if options.has("-T", "--upload-file"):
        return "PUT"
    return "HEAD" if options.has("-I", "--head") else "GET"


def _wget(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, _WGET_VALUES)
    if options.unsure or options.has("-e", "--execute", "--config", "--use-askpass", "-i", "--input-file"):
        return opaque("an option of the request is not known before it runs")
    method = "POST" if any(name.startswith("--post") for name, _ in options.given) else "GET"
    named = options.value("--method")
    found = _request(named.plain if named is not None else method, options.operands, call)
    output = options.value("-O", "--output-document")
    if options.has("--spider") or (output is not None and output.plain in ("-", "/dev/null")):
        return found
    return union(found, doing("write+delete", call.file(output or ".", Operation.UPDATE)))


def _httpie(call: Call, _reader: Reader) -> Classification:
    """`http DELETE address`: the method is the first word, POST where data follows."""
    options = cut(
        call.arguments, ("-a", "--auth", "-o", "--output", "--timeout", "-A", "--session", "--proxy")
    )
    words = list(options.operands)
    if options.unsure or not words:
        return opaque("the request is not known before it runs")
    method = (words[0].plain or "").upper()
    if method in _METHODS:
        words.pop(0)
    else:
        method = "POST" if len(words) > 1 else "GET"
    found = _request(method, words[:1], call)
    output = options.value("-o", "--output")
    return union(found, doing("write+delete", call.file(output, Operation.DELETE))) if output else found


def _request(method: str | None, targets: list[Word] | tuple[Word, ...], call: Call) -> Classification:
    known = _METHODS.get((method or "").upper())
    if known is None:
        return union(doing("outbound+unknown", why=["the method of the request is not known"]))
    effects, operation = known
    if targets and all((word.text or "").startswith("file:") for word in targets):
        files = [call.file((word.text or "")[5:].removeprefix("//"), Operation.READ) for word in targets]
        return doing("read", *files)
    return doing(effects, *(_url(word, operation) for word in targets))


def _url(word: Word, operation: Operation) -> Named:
    """The address without user, query and fragment, which may hold secrets."""
    text = word.text  # an unquoted `?` is a pattern to the shell, and hardly ever a file's name
    if text is None:
        return thing("url", None, operation)
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return thing("url", None, operation)
    if not host or not re.fullmatch(r"[\w.:-]+", host) or "@" in parts.path + parts.query + parts.fragment:
        return thing("url", None, operation)
    place = f"[{host}]" if ":" in host else host
    return thing("url", f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path or '/'}", operation)


def _rsync(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, _RSYNC_VALUES)
    remote_shell = options.value("-e", "--rsh")
    plain_ssh = remote_shell is not None and re.fullmatch(
        r"ssh(?: -p \d+| -i [\w./~-]+)*", remote_shell.plain or ""
    )
    others = [name for name, _ in options.given if not (plain_ssh and name in ("-e", "--rsh"))]
    if options.unsure or any(name in _RSYNC_EXEC or name.startswith("--rs") for name in others):
        return opaque("rsync may run another program")
    if options.has("-n", "--dry-run"):
        return doing("read+outbound")
    found = _copy(options, call)
    return (
        union(found, doing("delete"))
        if any(name.startswith(("--del", "--remove")) for name in others)
        else found
    )


def _scp(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, ("-P", "-i", "-c", "-l", "-F", "-J", "-o", "-S", "-D", "-X"))
    if options.unsure or options.has("-S", "-o", "-F", "-D"):
        return opaque("scp may run another program")
    return _copy(options, call)


def _copy(options: Options, call: Call) -> Classification:
    """All but the last are read; the last is written over. A colon means another machine."""
    *sources, target = options.operands or (Word(text=None),)
    objects = [_place(word, Operation.READ, call) for word in sources]
    objects.append(_place(target, Operation.UPDATE, call))
    remote = any(word.text is None or _REMOTE.fullmatch(word.text) for word in options.operands)
    return doing("read+write+delete+outbound" if remote else "read+write+delete", *objects)


def _place(word: Word, operation: Operation, call: Call) -> Named:
    if word.text is not None and _REMOTE.fullmatch(word.text):
        host = word.text.partition("://")[2] or word.text
        return thing("host", re.split(r"[:/]", host, maxsplit=1)[0].rpartition("@")[2], operation)
    return call.file(word, operation)


def _sftp(_call: Call, _reader: Reader) -> Classification:
    return opaque("sftp reads its commands from its input")


TRANSFERS: dict[str, Callable[[Call, Reader], Classification]] = {
    "curl": _curl,
    "wget": _wget,
    **dict.fromkeys(("http", "https", "xh", "xhs"), _httpie),
    "rsync": _rsync,
    "scp": _scp,
    "sftp": _sftp,
}
