"""The method: from a register, a period and a day to numbers and conclusions.

Lives here: evidence, scores, deficiencies, readiness, losses of a unit, sample plans, consistency findings.
Lives elsewhere: how any of it looks; no table, chart or sentence for a page is put together here.
"""
