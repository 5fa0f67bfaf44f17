"""The rules of a funded-account evaluation: sessions, verdicts, and the study of how often a strategy passes."""
