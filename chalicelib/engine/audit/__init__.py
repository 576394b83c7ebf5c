"""Looking after what may have got lost: the auditor, the sweeper, and what they found."""
