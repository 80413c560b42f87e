"""The measurements behind the project's figures, and a replay of real access logs.

No part of the installed package. Linux only: processor time and memory of other processes are read
as Linux gives them.
"""
