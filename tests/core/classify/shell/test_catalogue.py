"""The data files: every entry is well formed, no name means two things."""

from __future__ import annotations

from clearance.core.classify.found import effects
from clearance.core.classify.shell.catalogue import commands, migrations, wrappers
from clearance.core.classify.shell.judge import _HANDLERS
from clearance.core.model.effects import EffectClass


def test_every_effect_of_every_entry_is_one() -> None:
    for entry in (*commands().values(), *migrations().values()):
        for said in (entry.effects, entry.otherwise, *entry.verbs.values(), *entry.flags.values()):
            assert effects(said)
        assert all(effects(said) for said in entry.prefixed.values())
    assert all(effects(wrapper.effects) | effects(wrapper.alone) for wrapper in wrappers().values())


def test_the_catalogue_is_as_large_as_the_page_says() -> None:
    assert len(commands()) + len(_HANDLERS) > 250
    assert len(migrations()) > 30
    assert len(wrappers()) > 50


def test_no_command_has_two_readings() -> None:
    single = {name for name in wrappers() if " " not in name}
    assert not single & set(commands()), single & set(commands())
    assert not set(migrations()) & set(commands())
    known = {"docker", "kubectl", "git", "npm", "oc", "k", "podman", "nerdctl"}
    assert set(_HANDLERS) & set(commands()) <= known


def test_a_sub_verb_that_is_not_listed_is_never_harmless() -> None:
    harmless = {EffectClass.READ}
    for name, entry in {**commands(), **migrations()}.items():
        if entry.has_sub_verbs:
            assert not effects(entry.otherwise) <= harmless, name
