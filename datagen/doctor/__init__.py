"""Whether this machine can run voidgen: what is there, what is missing, and the command that installs it."""
