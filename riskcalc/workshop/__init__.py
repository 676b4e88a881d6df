"""People rating together: the round, its votes, what is decided and how that comes back to the register.

Lives here: the session and its store, the facilitator's panel, the ballots and their server, the record.
Lives elsewhere: how a rating becomes a residual (assessment), and pages for people who weren't there (pages).
"""
