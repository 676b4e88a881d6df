"""Workbooks out, and imports of workbooks and CSV files in.

Lives here: the template to fill in, the results to hand on, and the import with its mapping of columns.
Lives elsewhere: reading a register that happens to be a workbook (register), and the commands' options (cli).
"""
