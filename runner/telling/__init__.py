"""Telling elsewhere how experiments fare: statuses, comments, messages; they follow the ledger."""
