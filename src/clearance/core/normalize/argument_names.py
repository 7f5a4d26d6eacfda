"""What an argument of a well-known name holds. Data only; names are canonical."""

from __future__ import annotations

SQL = ("sql", "sql_query", "sql_statement", "raw_sql", "query", "statement", "q")
ALWAYS_SQL = frozenset({"sql", "sql_query", "sql_statement", "raw_sql"})
SHELL = ("command", "cmd", "command_line", "shell_command", "bash_command", "script", "argv", "input", "code")
SHELL_WORDS = ("args", "arguments", "argv")
ALWAYS_SHELL = frozenset({"command", "cmd", "command_line", "shell_command", "bash_command"})
METHODS = frozenset({"method", "http_method", "request_method"})
URLS = ("url", "uri", "endpoint", "webhook_url")
BODIES = frozenset({"body", "text", "message", "content", "html", "subject"})

# Argument -> kind of the resource it names, whatever the tool is.
KIND: dict[str, str] = {
    name: kind
    for kind, names in {
        "file": (
            "path paths file files file_path file_paths filepath filename filenames file_name file_names "
            "file_id file_ids source_path destination_path src_path dst_path directory dir dir_name dirname "
            "folder folder_path save_dir save_path output_path input_path attachments attachment"
        ),
        "url": "url urls uri endpoint webhook_url callback_url link href",
        "recipient": (
            "recipients recipient cc bcc participants participant attendees invitees receiver receivers "
            "receiver_id recipient_id to_email to_emails email_to to_recipients cc_recipients bcc_recipients "
            "to_addresses cc_addresses bcc_addresses personalizations"
        ),
        # Only what holds an address: these names hold other things as well.
        "address": "to email emails user_email address addresses email_address contact user_emails",
        "channel": "channel channels channel_id channel_name",
        "table": "table tables table_name",
        "s3": "bucket bucket_name",
        "database": "database db db_name database_name",
        "queue": "queue queue_name queue_url",
        "topic": "topic_arn topic_name",
        "account": "account account_id account_number",
    }.items()
    for name in names.split()
}

# Further names of recipients in a tool that sends messages.
MESSAGE_ONLY = frozenset(
    {
        "contact",
        "number",
        "phone",
        "phone_number",
        "to",
        "to_number",
        "user",
        "user_id",
        "user_name",
        "username",
        "users",
    }
)

# Objects whose inside is content, not a description of what is touched.
OPAQUE = frozenset({"body", "content", "data", "env", "headers", "json"})
ALWAYS_RECIPIENTS = frozenset({"bcc", "cc", "recipients", "to_email", "to_emails"})

# What may stand beside the text that a reader reads. Any other text might be what the tool really runs.
_BESIDE = (
    "database db schema params parameters bindings values limit timeout timeout_seconds dialect cwd workdir"
)
BESIDE = frozenset(
    {
        *_BESIDE.split(),
        *SQL,
        *SHELL,
        *SHELL_WORDS,
        *URLS,
        *METHODS,
        *BODIES,
        *("data", "form", "headers", "json", "payload", "verb"),
    }
)
