"""Which variables change what later commands run. A name that is not here changes no reviewed command."""

from __future__ import annotations

import re

from clearance.core.classify.found import NOTHING, opaque
from clearance.core.classify.shell.words import Word
from clearance.core.model.effects import Classification

# The loader's, the shells' and the interpreters' own; places where programs look for settings; and whatever
# names a program to run (an editor, a pager, a remote shell) or options to add.
_ACTING = re.compile(
    r"""(?x)
    (?: LD_ | DYLD_ | BASH | GIT_ | PYTHON | PERL | RUBY | NODE_ | (?i:NPM_CONFIG_) | JAVA_ | JDK_ | _JAVA
      | LUA | PHP | GEM_ | BUNDLE_ | GCONV_ | GLIBC_ | MALLOC_ | XDG_ | ZDOT | LESS | SSH_ | SUDO_ | TF_CLI
      | DOCKER_ | KUBE | HELM_ | COMPOSE_ | AWS_CONFIG | AWS_SHARED | PIP_ | UV_ | CARGO_ | RUSTC | MAVEN_
      | GRADLE_ | ANSIBLE_ | MYSQL_ | PSQL | PGSERVICE | PGSYSCONF | PGPASSFILE | CURL_ | WGET | TAR_ | RSYNC_
    ).*
    | .* (?: PATH | PAGER | EDITOR | VISUAL | BROWSER | SHELL | COMMAND | OPTS | OPTIONS | FLAGS | ARGS | _RSH
      | _ASKPASS | PRELOAD | STARTUP | RC | _PROXY | _proxy | _CONFIG | _HOME | WRAPPER | HOOK | HOOKS )
    | ENV | IFS | HOME | PS[0-4] | SHELLOPTS | TMPDIR | HOSTALIASES | LOCPATH | CDPATH | GLOBIGNORE
    | CC | CXX | LD | AR | MAKE | PROMPT_.* | HISTFILE
    """
)
_HARMLESS = frozenset({"NODE_ENV", "NODE_NO_WARNINGS", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"})
_RUNS_LATER = re.compile(r"\$\(|`|\$\{|<\(")


def assigned(name: str, value: Word | None = None) -> Classification:
    """What an assignment does. A value that looks like code may run where a shell computes with it."""
    if name not in _HARMLESS and _ACTING.fullmatch(name):
        return opaque("a variable is set that changes what commands run")
    if value is not None and value.text is not None and _RUNS_LATER.search(value.text):
        return opaque("a variable is given a text that a shell could run")
    return NOTHING
