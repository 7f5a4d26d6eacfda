"""Argon2id: who knows it gets in; whoever does not exist takes as long as who does."""

from __future__ import annotations

import statistics
import time

import pytest

from clearance.adapters.identity import Passwords

pytestmark = pytest.mark.servers


def test_a_password_fits_its_own_hash_only() -> None:
    passwords = Passwords()
    hashed = passwords.hash("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert passwords.hash("correct horse battery") != hashed
    assert passwords.fits("correct horse battery", hashed)
    assert not passwords.fits("correct horse", hashed)
    assert not passwords.fits("correct horse battery", "not a hash")
    assert not passwords.is_outdated(hashed)
    assert passwords.is_outdated(hashed.replace("t=3", "t=1"))


def test_nobodys_password_takes_as_long_as_a_wrong_one() -> None:
    passwords = Passwords()
    hashed = passwords.hash("correct horse battery")
    passwords.fits("warm up", "")

    def median(against: str) -> float:
        took = []
        for _ in range(9):
            begun = time.process_time()
            passwords.fits("a guess of mine", against)
            took.append(time.process_time() - begun)
        return statistics.median(took)

    somebody, nobody = median(hashed), median("")
    assert 0.6 < nobody / somebody < 1.67
