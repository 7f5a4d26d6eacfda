"""The MCP proxy: every message between an agent's client and a tool server is judged on its way."""
