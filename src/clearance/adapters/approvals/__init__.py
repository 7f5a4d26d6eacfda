"""How people are told: a webhook, and an in-memory twin."""

from clearance.adapters.approvals.memory import MemoryNotifier
from clearance.adapters.approvals.webhook import Webhook, WebhookOptions, open_notifiers, open_webhook

__all__ = ["MemoryNotifier", "Webhook", "WebhookOptions", "open_notifiers", "open_webhook"]
