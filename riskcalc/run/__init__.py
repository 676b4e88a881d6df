"""Every unit, unattended: its notebook in a process of its own, its page, and a manifest that tells the truth.

Lives here: the batch, the processes and their cells, the output folder, progress, the spread over a cluster.
Lives elsewhere: what a notebook computes (assessment) or shows (pages); a run only makes it happen.
"""
