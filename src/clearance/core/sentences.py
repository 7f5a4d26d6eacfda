"""What the machine says to an agent when it refuses: what happened, and what to do."""

NO_APPROVER = (
    "This needs a person's approval, and it could not be asked for: the transaction holds earlier changes "
    "(commit first), an argument has no JSON form, or the store does not answer. Nothing was run."
)
NO_SNAPSHOT = "The policy asks for a snapshot first, and nothing here can take one; nothing was run."
NOT_SAVED = "The state could not be saved first; nothing was run."
NOT_WHAT_WAS_SHOWN = (
    "The approval is not for this: call, target or policies are not what was shown; nothing was run. "
    "Send the call again without `hold_id` to have it decided anew."
)
USED = "This approval was used already, and is good for one execution; nothing was run."
REFUSED = "A person refused this action."
NOT_IN_TIME = "Nobody approved this action in time."
NOT_COUNTED = "What the action would touch could not be looked up; nothing was run."
WENT_AWAY = "The caller went away before the action ran."
