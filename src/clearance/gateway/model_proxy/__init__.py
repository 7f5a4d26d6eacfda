"""The model proxy: OpenAI's and Anthropic's wire formats, every call and every tool call in them cleared."""
