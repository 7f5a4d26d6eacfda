"""Which commands may be rehearsed on a copy of the files: only those that touch nothing else."""

from __future__ import annotations

import pytest

from clearance.core.classify.shell import file_only


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf build",
        "mv a b && cp -r c d",
        "find . -name '*.log' -delete",
        "find . -type f -exec chmod 644 {} +",
        "sed -i s/a/b/ ./*.txt",
        "cd /srv; mkdir -p x; touch x/y; ln -s x z",
        "ls | xargs rm",
        'for f in *; do mv "$f" "old-$f"; done',
        "echo hi > f; tee g < f; truncate -s 0 f",
        "chown -R a:b /srv",
        "tar xzf a.tgz",
        ["rm", "-r", "$HOME"],
    ],
)
def test_a_command_of_reviewed_file_tools_is_file_only(command: str) -> None:
    assert file_only(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "rm x; curl https://a.example",
        "rm x && make",
        "sudo rm x",
        "ssh web1 rm x",
        'bash -c "$X"',
        "python -c 'x'",
        "./rm x",
        "rsync -a a/ web1:/b",
        "echo hi > /dev/tcp/a.example/1",
        "dd if=a of=/dev/sda",
        "find . -exec sh {} \\;",
        "ls | xargs sed -i s/a/b/",
        "tar xf a.tar --to-command=sh",
        "tar cf host:a.tar x",
        "sed 's/a/b/e' f",
        "$X",
        "X=1",
        "PATH=/tmp ls",
        'eval "$X"',
        "git clean -fdx",
        "sed -i s/a/b/ *.txt",  # a file may be called `-e`
        "docker exec c rm x",
        "psql -c 'SELECT 1'",
        "crontab -r",
        "trap 'curl x' EXIT",
    ],
)
def test_anything_that_reaches_further_is_not_file_only(command: str) -> None:
    assert not file_only(command)
