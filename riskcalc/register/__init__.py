"""What people keep: files in, checked tables out, the methodology beside them, and rows changed safely.

Lives here: tables and their columns, reading and checking, the matrix, periods, audiences, workbooks as input.
Lives elsewhere: anything that concludes something from the rows (assessment), and anything that shows them (pages).
"""
