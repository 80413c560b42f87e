"""What happens in the worker: one record a request, sealed and appended before the answer is complete.

Light to import, for every worker carries it. Reading back what is written here is the archive's job.
"""
