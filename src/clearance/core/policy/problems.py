"""Everything that can be wrong with a policy document, as stable codes. Listed in spec/policy.md."""

from __future__ import annotations

from enum import StrEnum


class ProblemCode(StrEnum):
    """Stable across releases: scripts and editors may match on it."""

    YAML_SYNTAX = "yaml_syntax"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    CONTROL_CHARACTER = "control_character"
    DUPLICATE_KEY = "duplicate_key"
    KEY_NOT_TEXT = "key_not_text"
    TAG_NOT_READ = "tag_not_read"
    ALIAS_NOT_READ = "alias_not_read"
    BAD_TYPE = "bad_type"
    BAD_VALUE = "bad_value"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    MISSING_KEY = "missing_key"
    UNKNOWN_KEY = "unknown_key"
    MISPLACED_KEY = "misplaced_key"
    UNSUPPORTED_VERSION = "unsupported_version"
    DUPLICATE_NAME = "duplicate_name"
    UNKNOWN_RULE = "unknown_rule"
    UNKNOWN_OPERATION = "unknown_operation"
    UNKNOWN_ENVIRONMENT = "unknown_environment"
    UNKNOWN_CHOICE = "unknown_choice"
    UNKNOWN_TOOL = "unknown_tool"
    UNKNOWN_ROLE = "unknown_role"
    UNKNOWN_PATTERN_NAME = "unknown_pattern_name"
    BAD_PATTERN = "bad_pattern"
    BAD_CEL = "bad_cel"
    CEL_NOT_INSTALLED = "cel_not_installed"
    NEVER_MATCHES = "never_matches"
    NESTED_HISTORY = "nested_history"
