"""Clients' questionnaires, answered from the register: files in, candidates with their rows, decisions, files out.

Nothing here guesses what is true: texts are found by words, and every answer is held against the register's rows.
"""
