"""Text to effects: SQL of each dialect, shell commands. Pure; what a catalogue knows comes in as values."""
