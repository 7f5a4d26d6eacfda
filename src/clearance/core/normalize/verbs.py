"""The reviewed table of verbs in tool names. Data only; `naming` applies it.

A word's place decides. LEADING words are verbs where a name begins (`book_hotel`) and nouns elsewhere
(`get_book`). CLEAR words are verbs wherever they stand (`cart_remove_item`). DOUBTFUL words may be either
after a verb that reads (`check_update`), which makes such a name unknown.
"""

from __future__ import annotations

from clearance.core.model import Operation

CLEAR: dict[Operation, str] = {
    Operation.CREATE: "insert install",
    Operation.UPDATE: "activate append assign modify overwrite rename upsert",
    Operation.DELETE: "delete destroy discard erase purge remove uninstall unlink wipe",
    Operation.DDL: "migrate truncate",
    Operation.SEND: "publish send",
    Operation.EXECUTE: "eval exec execute invoke",
    Operation.ADMIN: "chmod chown deactivate disable enable impersonate kill revoke sudo terminate",
}

DOUBTFUL: dict[Operation, str] = {
    Operation.CREATE: "add create generate save",
    Operation.UPDATE: "edit move put replace set update write",
    Operation.DELETE: "cancel clear del reset rm rmdir",
    Operation.DDL: "alter drop",
    Operation.SEND: "notify pay submit",
    Operation.EXECUTE: "bash shell",
    Operation.ADMIN: "ban deploy grant reboot restart rollback shutdown",
}

LEADING: dict[Operation, str] = {
    Operation.READ: (
        "browse calculate check compare compute count describe display estimate explain fetch filter find "
        "get has inspect is list lookup peek preview query read retrieve search show summarize translate view"
    ),
    Operation.CREATE: (
        "book clone copy cp download draft duplicate import init make mkdir new place provision register "
        "reserve schedule store touch"
    ),
    Operation.UPDATE: (
        "accept approve archive authenticate bookmark change close configure connect convert decline "
        "decrement enroll fill fix flag follow increment invite join label leave like link lock login logout "
        "mark merge mv patch pause pin press promote reject reopen reorder reschedule resolve restore resume "
        "review share signin signout star subscribe switch sync tag toggle turn unarchive unfollow unlock "
        "unpin unsubscribe upgrade upload"
    ),
    Operation.DELETE: "evict expire flush prune retract trash unpublish void",
    Operation.SEND: (
        "announce broadcast buy call charge checkout comment contact deposit dispatch dm donate email export "
        "forward fund input mail mention ping post purchase push refund reply respond retweet sell sms "
        "transfer transmit tweet wire withdraw"
    ),
    Operation.EXECUTE: "apply build compile powershell python repl run sh spawn terminal trigger zsh",
    Operation.ADMIN: "elevate escalate rotate scale start stop suspend",
}

# Whole names that say what a single word of them would not.
EXACT: dict[Operation, str] = {
    Operation.READ: "cat cd diff du grep head ls pwd sort stat tail think wc web_search whoami",
    Operation.MODEL_CALL: (
        "chat chat_completion chat_completions chat_completions_create complete completion completions "
        "create_chat_completion create_completion create_embedding embeddings generate generate_content "
        "generate_text invoke_model llm messages_create model_call responses_create"
    ),
}

CONJUNCTIONS = frozenset({"and", "n", "or", "plus", "then"})
