"""What makes jobs run: plan, ring, start, settle. Decisions are pure functions of (state, now)."""
