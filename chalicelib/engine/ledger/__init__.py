"""What is written down of runs, and what can be told from it: ends, skips, revisions, the timeline."""
