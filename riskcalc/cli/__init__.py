"""The command line: options in, messages and exit codes out.

Lives here: commands with their help, and how errors become messages.
Lives elsewhere: everything that a notebook could want too; a command calls it and prints.
"""
